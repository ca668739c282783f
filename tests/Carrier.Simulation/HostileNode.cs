using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Core.Wire;
using Carrier.Dht.Rpc;
using Carrier.Nat;
using Carrier.Node;

namespace Carrier.Simulation;

/// <summary>A host that speaks the wire formats and misbehaves as told: it forges, floods, replays, spoofs where it is, and answers nothing.</summary>
/// <remarks>Silent too it is of use: as the victim at a spoofed address, counting what others are made to send there.</remarks>
public sealed class HostileNode : IDatagramMachine, IDisposable
{
    /// <summary>Datagrams kept for a scenario to look at; later ones are only counted.</summary>
    public const int MaxKept = 10_000;

    private readonly VirtualNetwork _network;
    private readonly TransportKey _transportKey;
    private readonly SealedMessages _sealed;
    private readonly AddressTokens _tokens;
    private readonly RpcMachine _rpc;
    private readonly DropCounters _drops = new();
    private readonly TransportKey _exchangeKey;
    private readonly byte[] _buffer = new byte[2_048];

    public HostileNode(VirtualNetwork network, Endpoint address, LinkProfile? link = null)
    {
        _network = network;
        Random = network.Random.Fork();
        _transportKey = TransportKey.Generate(Random);
        _sealed = new SealedMessages(_transportKey, Random, _drops);
        _tokens = new AddressTokens(Random);
        _rpc = new RpcMachine(_sealed, _tokens, Random, _drops);
        Device = DeviceKeys.Generate(Random);
        Owner = MakeOwner(Random);
        _exchangeKey = TransportKey.Import(Device.ExchangePrivate);
        Host = network.AddPublicHost(address, link);
        Host.Start(this);
    }

    public SeededRandom Random { get; }

    public VirtualHost Host { get; }

    public DeviceKeys Device { get; }

    /// <summary>An owner of its own: being a stranger is no crime.</summary>
    public OwnerKey Owner { get; }

    /// <summary>Whether it takes in sealed answers, and so learns address tokens it may then show.</summary>
    public bool Learns { get; set; }

    public List<(Endpoint From, byte[] Datagram)> Received { get; } = [];

    public long ReceivedDatagrams { get; private set; }

    public long ReceivedBytes { get; private set; }

    public int LongestReceivedBytes { get; private set; }

    public Instant NextDeadline => Instant.Never;

    public void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn)
    {
        ReceivedDatagrams++;
        ReceivedBytes += datagrams.Length;
        LongestReceivedBytes = Math.Max(LongestReceivedBytes, datagrams.Length);
        if (Received.Count < MaxKept)
        {
            Received.Add((remote, datagrams.ToArray()));
        }

        if (Learns && datagrams[0] == (byte)PacketKind.SealedAnswer)
        {
            _rpc.Handle(now, remote, datagrams);
        }
    }

    public void HandleTimeout(Instant now)
    {
    }

    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        return false;
    }

    /// <summary>Forgets what was received so far.</summary>
    public void Clear()
    {
        Received.Clear();
        (ReceivedDatagrams, ReceivedBytes, LongestReceivedBytes) = (0, 0, 0);
    }

    public void Send(Endpoint to, ReadOnlySpan<byte> datagram) => SendAs(Host.Address, to, datagram);

    /// <summary>Sends with a source address of its choosing.</summary>
    public void SendAs(Endpoint source, Endpoint to, ReadOnlySpan<byte> datagram) =>
        _network.Inject(source, to, datagram, TimeSpan.FromMilliseconds(10));

    /// <summary>A sealed question to a serving node, with the address token learnt from it, if any.</summary>
    public byte[] Question(SimulatedNode server, int method, ReadOnlySpan<byte> body, AskOptions options = AskOptions.None)
    {
        if (!_rpc.TryAsk(_network.Now, server.TransportKey.Public, server.Host.Address, method, body, options, out _)
            || !_rpc.TryTransmit(_network.Now, _buffer, out Transmit transmit))
        {
            throw new InvalidOperationException($"The question was not sealed (seed {_network.Seed}).");
        }

        return _buffer[..transmit.Bytes];
    }

    /// <summary>A true handshake initiation to a device, carrying whatever delegation and candidates; padded as for a direct path.</summary>
    public byte[] Initiation(LocalIdentity target, Delegation delegation, string protocol, params ReadOnlySpan<Candidate> candidates)
    {
        Span<byte> targetId = stackalloc byte[TrustId.Bytes];
        target.TrustId.CopyTo(targetId);
        byte[] parameters = new byte[TransportParameters.MaxEncodedBytes];
        byte[] list = new byte[Candidate.MaxListBytes];
        byte[] token = new byte[HandshakePayload.ResetTokenBytes];
        Random.Fill(token);
        _ = Candidate.TryWriteList(candidates, list, out int listBytes);
        HandshakePayload payload = new()
        {
            Delegation = delegation.Encoded.Span,
            Protocol = protocol,
            ConnectionId = Random.NextUInt64(),
            ResetToken = token,
            TransportParameters = parameters.AsSpan(0, TransportParameters.Default.Write(parameters)),
            CipherSuites = [.. CipherSuites.Supported],
            Candidates = list.AsSpan(0, listBytes),
        };
        if (!HandshakeInitiator.TryCreate(_exchangeKey, target.Device.ExchangeKey, targetId, Random, payload, out HandshakeInitiator? initiator))
        {
            throw new InvalidOperationException($"The initiation was not written (seed {_network.Seed}).");
        }

        using (initiator)
        {
            _ = initiator.TryWrite(isPadded: true, _buffer, out int bytes);
            return _buffer[..bytes];
        }
    }

    /// <summary>What looks like an initiation until its tag is checked.</summary>
    public byte[] ForgedInitiation(ReadOnlySpan<byte> model)
    {
        byte[] forged = model.ToArray();
        Random.Fill(forged.AsSpan(1, sizeof(ulong)));
        InitiationDatagram.TryRead(forged, out InitiationDatagram read);
        int noise = forged.AsSpan().IndexOf(read.Noise);
        Random.Fill(forged.AsSpan(noise, read.Noise.Length));
        return forged;
    }

    /// <summary>A STUN Binding request (RFC 8489 §5): 20 bytes.</summary>
    public byte[] StunRequest()
    {
        byte[] request = new byte[20];
        Random.Fill(request);
        BinaryPrimitives.WriteUInt32BigEndian(request, 0x0001_0000);
        BinaryPrimitives.WriteUInt32BigEndian(request.AsSpan(4), 0x2112_A442);
        return request;
    }

    /// <summary>A delegation of this host's device by some owner, valid unless told otherwise.</summary>
    public Delegation Delegate(OwnerKey owner, ulong serial = 1, int fromDays = -1, int toDays = 365) => Delegation.Issue(
        owner, Device, serial, SimulatedNode.Epoch + TimeSpan.FromDays(fromDays), SimulatedNode.Epoch + TimeSpan.FromDays(toDays), DelegationUses.All);

    public void Dispose()
    {
        Host.Stop();
        _exchangeKey.Dispose();
        Device.Dispose();
        Owner.Dispose();
        _tokens.Dispose();
        _sealed.Dispose();
        _transportKey.Dispose();
    }

    private static OwnerKey MakeOwner(SeededRandom random)
    {
        Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
        random.Fill(scalar);
        scalar[0] &= 0x7F; // below the group's order
        return OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner) ? owner : throw new InvalidOperationException("A drawn scalar was zero.");
    }
}
