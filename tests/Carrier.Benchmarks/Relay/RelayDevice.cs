using System.Net;
using System.Net.Sockets;
using Carrier.Benchmarks.Seeds;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Dht.Rpc;
using Carrier.Net;
using Carrier.Node.Homes;

namespace Carrier.Benchmarks.Relay;

/// <summary>A device of a new owner as its home knows it: registered by sealed calls, and one end of relay channels. There is no node behind it, so that ten thousand fit one process.</summary>
internal sealed class RelayDevice : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly HomeContact _home;
    private readonly TransportKey _transportKey = TransportKey.Generate(SystemRandomSource.Shared);
    private readonly DeviceKeys _keys = DeviceKeys.Generate(SystemRandomSource.Shared);
    private readonly SealedMessages _sealed;
    private readonly AddressTokens _tokens = new(SystemRandomSource.Shared);
    private readonly RpcMachine _rpc;

    /// <param name="home">Where it registers.</param>
    /// <param name="address">The loopback address it has; a port is chosen.</param>
    /// <param name="kernelBufferBytes">What the kernel may hold for it, each way.</param>
    public RelayDevice(HomeContact home, IPAddress address, int kernelBufferBytes)
    {
        _home = home;
        Socket = DatagramSockets.BindOne(new IPEndPoint(address, 0), kernelBufferBytes);
        DropCounters drops = new();
        _sealed = new SealedMessages(_transportKey, SystemRandomSource.Shared, drops);
        _rpc = new RpcMachine(_sealed, _tokens, SystemRandomSource.Shared, drops);
    }

    public Socket Socket { get; }

    private static UnixTime Wall => new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());

    /// <exception cref="InvalidOperationException">The home does not take it.</exception>
    public void Register()
    {
        using OwnerKey owner = DrivenDevice.NewOwner(SystemRandomSource.Shared);
        var delegation = Delegation.Issue(owner, _keys, 1, Wall - TimeSpan.FromHours(1), Wall + TimeSpan.FromDays(1), DelegationUses.All);
        byte[] message = new byte[HomeProof.Bytes];
        byte[] signature = new byte[HomeProof.SignatureBytes];
        HomeProof.Write(message, HomeMethod.Register, _home.Key, Wall);
        _keys.Sign(HomeSignature.Context, message, signature);
        byte[] body = new byte[RegisterQuestion.MaxBytes];
        int bytes = new RegisterQuestion { Delegation = delegation.Encoded.Span, Time = Wall, Signature = signature }.Encode(body);
        if (!RegisterAnswer.TryParse(Ask(HomeMethod.Register, body.AsSpan(0, bytes)), out RegisterAnswer answer) || answer.Status != RegisterStatus.Done)
        {
            throw new InvalidOperationException($"The home does not register a device: {answer.Status}.");
        }
    }

    /// <summary>Opens a channel to a registered device; its id for this side. Returns once the first datagram has come through.</summary>
    /// <exception cref="InvalidOperationException">The home does not join them.</exception>
    public ulong Connect(RelayDevice target)
    {
        byte[] body = new byte[ConnectQuestion.MaxBytes];
        byte[] first = [(byte)PacketKind.HandshakeInitiation, .. new byte[100]];
        int bytes = new ConnectQuestion { Target = target._keys.ExchangeKey, First = first }.Encode(body);
        if (!ConnectAnswer.TryParse(Ask(HomeMethod.Connect, body.AsSpan(0, bytes)), out ConnectAnswer answer) || answer.Status != ConnectStatus.Connected)
        {
            throw new InvalidOperationException($"The home does not connect two devices: {answer.Status}.");
        }

        byte[] introduced = new byte[SealedMessages.MaxDatagramBytes];
        return target.Socket.Poll(Patience, SelectMode.SelectRead) && target.Socket.Receive(introduced) == NetworkPath.RelayHeaderBytes + first.Length
            ? answer.Channel
            : throw new InvalidOperationException("The home introduces nobody.");
    }

    public void Dispose()
    {
        Socket.Dispose();
        _tokens.Dispose();
        _sealed.Dispose();
        _keys.Dispose();
        _transportKey.Dispose();
    }

    /// <summary>One call to the home; the body of its answer.</summary>
    private byte[] Ask(HomeMethod method, ReadOnlySpan<byte> body)
    {
        byte[] buffer = new byte[SealedMessages.MaxDatagramBytes];
        Instant start = MonotonicClock.Now;
        _ = _rpc.TryAsk(start, _home.Key, _home.Endpoint, (int)method, body, AskOptions.None, out _);
        while (MonotonicClock.Now - start < Patience)
        {
            while (_rpc.TryTransmit(MonotonicClock.Now, buffer, out Transmit transmit))
            {
                _ = Socket.SendTo(buffer.AsSpan(0, transmit.Bytes), SocketFlags.None, _home.Endpoint.ToIPEndPoint());
            }

            if (Socket.Poll(TimeSpan.FromMilliseconds(100), SelectMode.SelectRead))
            {
                _rpc.Handle(MonotonicClock.Now, _home.Endpoint, buffer.AsSpan(0, Socket.Receive(buffer)));
            }

            _rpc.HandleTimeout(MonotonicClock.Now);
            while (_rpc.TryEffect(out RpcEffect effect))
            {
                if (effect.Kind is RpcEffectKind.Answered)
                {
                    return effect.Body.ToArray();
                }
            }
        }

        return [];
    }
}
