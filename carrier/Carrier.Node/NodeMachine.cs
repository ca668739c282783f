using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Node.Addresses;
using Carrier.Node.Dialing;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Punching;
using Carrier.Node.Relay;
using Carrier.Node.Serving;
using Carrier.Node.Sessions;
using Carrier.Node.Transport;

namespace Carrier.Node;

/// <summary>One whole node: the DHT, homes, dials and sessions behind one UDP socket. Pure: the shell or the simulator drives it.</summary>
/// <remarks>
/// A datagram goes by its first byte (<see cref="PacketKind"/>) to the machine it concerns; after each batch the machines hand each other what
/// came of it; then the driver sends and drains <see cref="TryEffect"/>. Borrowed keys stay their owner's to dispose.
/// </remarks>
public sealed partial class NodeMachine : IDatagramMachine, IDisposable
{
    private readonly NodeOptions _options;
    private readonly LocalIdentity? _local;
    private readonly RandomSource _random;
    private readonly SealedMessages _sealed;
    private readonly AddressTokens _tokens;
    private readonly RpcMachine _rpc;
    private readonly DhtMachine _dht;
    private readonly Outbox _outbox;
    private readonly LocalAddresses _addresses;
    private readonly SessionTable _sessions;
    private readonly SerialFloors _floors = new();
    private readonly KnownPeers _known = new();
    private readonly HashSet<string> _protocols = [];
    private readonly Queue<NodeEffect> _effects = new();
    private readonly PublicServices? _services;
    private readonly HomeMachine? _homes;
    private readonly SessionOpener? _opener;
    private readonly Dialer? _dialer;
    private readonly Acceptor? _acceptor;
    private readonly Puncher? _puncher;
    private readonly NatTest? _natTest;
    private readonly MappingTest? _mappingTest;
    private readonly DhtProxyClient? _proxies;
    private readonly PeerDirectory _directory;
    private readonly NodeCalls _calls;
    private ulong _nextOperation = 1;
    private bool _isReady;
    private bool _looksOnLinks;

    /// <param name="options">What to be.</param>
    /// <param name="transportKey">The key sealed questions to this node are sealed to; lasting for a serving node, made anew each run for others.</param>
    /// <param name="local">Who this device is; null for a node that only serves.</param>
    /// <param name="random">All randomness.</param>
    /// <param name="clock">The wall clock, for validity and expiry.</param>
    /// <param name="now">The first instant.</param>
    public NodeMachine(NodeOptions options, TransportKey transportKey, LocalIdentity? local, RandomSource random, WallClock clock, Instant now)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(transportKey);
        ArgumentNullException.ThrowIfNull(random);
        (_options, _local, _random, Clock) = (options, local, random, clock);
        _outbox = new Outbox(Drops);
        _addresses = new LocalAddresses(options.Advertise, Drops);
        _sealed = new SealedMessages(transportKey, random, Drops);
        _tokens = new AddressTokens(random);
        _rpc = new RpcMachine(_sealed, _tokens, random, Drops);
        _dht = new DhtMachine(_rpc, options.Dht, clock, now);
        byte[] resetKey = ResetKeyOf(transportKey, local);
        _sessions = new SessionTable(resetKey, Drops);
        _services = options.Serve ? new PublicServices(options, transportKey.Public, _dht, _rpc, _addresses, _tunnelled, _floors, _outbox, random, Drops) : null;
        if (local is not null)
        {
            _opener = new SessionOpener(options, local, _addresses, _sessions, resetKey, random, Drops);
            _homes = options.Serve ? null : new HomeMachine(
                local.Delegation.Encoded.Span, (message, signature) => local.Device.Sign(HomeSignature.Context, message, signature), clock, random, Drops);
            _dialer = new Dialer(options, local, _opener, _sessions, _addresses, _homes, _known, _floors, _outbox, random, Drops);
            _acceptor = new Acceptor(local, _opener, _sessions, _outbox, _floors, random, Drops);
        }

        SocketLeases sockets = new();
        _puncher = local is null ? null : new Puncher(_addresses, _homes, _sessions, sockets, _outbox, random, Drops);
        _natTest = _homes is null ? null : new NatTest(_homes, _addresses, sockets, _outbox, random);
        _mappingTest = _homes is null ? null : new MappingTest(_homes, _addresses, _tunnelled, local!.Device.ExchangeKey, random);
        _proxies = _homes is null ? null : new DhtProxyClient(_dht, _homes, local!.Device.ExchangeKey);
        _dht.HasProxies = _proxies is not null;
        _directory = new PeerDirectory(local, _dht, _addresses, _homes, _known, _floors);
        _calls = new NodeCalls(_rpc, _homes, _dialer, _natTest, _mappingTest, _proxies);
        Begin(now, transportKey.Public);
    }

    /// <summary>Everything received and not used, by reason.</summary>
    public DropCounters Drops { get; } = new();

    /// <summary>The wall clock; hand in a new one when it steps.</summary>
    public WallClock Clock { get; private set; }

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(_dht.NextDeadline, Instant.Min(_sessions.NextDeadline, _addresses.NextDeadline));
            next = Instant.Min(next, Instant.Min(_directory.NextDeadline, _puncher?.NextDeadline ?? Instant.Never));
            next = Instant.Min(next, Instant.Min(_natTest?.NextDeadline ?? Instant.Never, _mappingTest?.NextDeadline ?? Instant.Never));
            next = Instant.Min(next, Instant.Min(_homes?.NextDeadline ?? Instant.Never, _services?.NextDeadline ?? Instant.Never));
            return Instant.Min(next, Instant.Min(_dialer?.NextDeadline ?? Instant.Never, _acceptor?.NextDeadline ?? Instant.Never));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable)
    {
        if (_mappingTest is { IsSilent: true })
        {
            _mappingTest.Heard(now, remote, datagrams);
        }

        NetworkPath path = new(remote);
        for (int offset = 0; offset < datagrams.Length;)
        {
            Span<byte> rest = datagrams[offset..];
            int bytes = Math.Min(segmentBytes, rest.Length);
            if (rest[0] == (byte)PacketKind.RelayData)
            {
                bytes = RelayTrain.FirstOf(rest, segmentBytes).Datagrams.Length;
                HandleRelayed(now, remote, rest[..bytes], segmentBytes);
            }
            else
            {
                HandleDatagram(now, path, rest[..bytes], ecn);
            }

            offset += bytes;
        }

        Settle(now);
    }

    public void HandleAt(Instant now, ushort socket, Endpoint remote, Span<byte> datagrams, int segmentBytes)
    {
        NetworkPath path = new(remote, Socket: socket);
        for (int offset = 0; offset < datagrams.Length; offset += segmentBytes)
        {
            HandleDatagramAt(now, path, datagrams.Slice(offset, Math.Min(segmentBytes, datagrams.Length - offset)));
        }

        Settle(now);
    }

    public void HandleTimeout(Instant now)
    {
        _dht.HandleTimeout(now);
        _addresses.HandleTimeout(now);
        _homes?.HandleTimeout(now);
        _services?.HandleTimeout(now);
        _dialer?.HandleTimeout(now);
        _acceptor?.HandleTimeout(now);
        _sessions.HandleTimeout(now);
        _puncher?.HandleTimeout(now);
        _natTest?.HandleTimeout(now);
        _mappingTest?.HandleTimeout(now);
        _directory.HandleTimeout(now);
        Settle(now);
    }

    /// <summary>Small messages first, then relayed packets, then the sessions in turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        bool isSending = _outbox.TryTransmit(buffer, out transmit)
            || _dht.TryTransmit(now, buffer, out transmit)
            || (_homes?.TryTransmit(now, buffer, out transmit) ?? false)
            || (_services?.Relay.TryTransmit(now, buffer, out transmit) ?? false)
            || _sessions.TryTransmit(now, buffer, out transmit);
        if (isSending && _mappingTest is { IsSilent: true })
        {
            _mappingTest.Spoke(now, transmit.Path);
        }

        return isSending;
    }

    /// <summary>The next thing to tell the application, until false.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryEffect(Instant now, out NodeEffect effect)
    {
        while (_sessions.TryEffect(out effect))
        {
            if (Surfaces(now, ref effect))
            {
                return true;
            }
        }

        return _effects.TryDequeue(out effect)
            || (_dialer?.TryEffect(out effect) ?? false)
            || (_puncher?.TryEffect(out effect) ?? false)
            || (_acceptor?.TryEffect(out effect) ?? false)
            || TryWantedTunnel(out effect)
            || _directory.TryEffect(out effect);
    }

    public void Dispose()
    {
        foreach (NodeSession session in _sessions.All.ToArray())
        {
            _sessions.Remove(session);
        }

        _acceptor?.Dispose();
        _tokens.Dispose();
        _sealed.Dispose();
    }

    private void Begin(Instant now, in PublicKey transportKey)
    {
        if (_options.Serve && !_options.Advertise.IsNone)
        {
            _dht.Serve(now, transportKey, _options.Advertise);
        }

        foreach (HomeContact seed in _options.Seeds)
        {
            _ = _dht.TryAddSeed(now, seed.Key, seed.Endpoint);
            _homes?.Offer(now, seed, rtt: null);
            _addresses.Meet(seed.Endpoint);
        }

        _directory.ExpectsNetwork = _options.Seeds.Count > 0;
        _directory.RecordChanged(now);
        Settle(now);
    }

    // Derived from a lasting secret, so that a node that restarts can still tell a peer that the old session is gone (RFC 9000 §10.3.2).
    private static byte[] ResetKeyOf(TransportKey transportKey, LocalIdentity? local)
    {
        Span<byte> secret = stackalloc byte[TransportKey.Bytes];
        if (local is null)
        {
            transportKey.Export(secret);
        }
        else
        {
            local.Device.ExchangePrivate.CopyTo(secret);
        }

        byte[] key = ResetToken.DeriveKey(secret);
        CryptographicOperations.ZeroMemory(secret);
        return key;
    }

    // A responder's session becomes the application's with the first packet only its true initiator can have sent.
    private bool Surfaces(Instant now, ref NodeEffect effect)
    {
        NodeSession session = effect.Session!;
        if (session.IsSurfaced)
        {
            return true;
        }

        if (effect.InSession.Kind != SessionEffectKind.Confirmed)
        {
            return false;
        }

        _acceptor?.Confirmed(session);
        if (!_protocols.Contains(session.Protocol))
        {
            session.Machine.Close(now, NodeCloseCode.ProtocolNotSpoken, "no such protocol here");
            _sessions.Touch(now, session);
            return false;
        }

        session.IsSurfaced = true;
        effect = new NodeEffect(NodeEffectKind.Incoming) { Session = session };
        return true;
    }
}
