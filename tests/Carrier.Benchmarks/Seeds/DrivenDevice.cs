using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Node;
using Carrier.Node.Homes;
using Carrier.Node.Sessions;

namespace Carrier.Benchmarks.Seeds;

/// <summary>A device of a new owner: the shipped node machine behind a loopback socket of its own, driven turn by turn by whoever holds it.</summary>
internal sealed class DrivenDevice : IDisposable
{
    public const int MaxDatagramBytes = 65_536;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly TransportKey _transportKey;
    private readonly DeviceKeys _device;
    private readonly LocalIdentity _identity;

    public DrivenDevice(HomeContact seed)
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _socket.Blocking = false;
        RandomSource random = SystemRandomSource.Shared;
        _transportKey = TransportKey.Generate(random);
        _device = DeviceKeys.Generate(random);
        UnixTime today = new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        using OwnerKey owner = NewOwner(random);
        _identity = new LocalIdentity(
            _device, Delegation.Issue(owner, _device, 1, today - TimeSpan.FromHours(1), today + TimeSpan.FromDays(1), DelegationUses.All));
        Machine = NewMachine(seed);
    }

    public NodeMachine Machine { get; private set; }

    public Endpoint Address => Endpoint.From((IPEndPoint)_socket.LocalEndPoint!);

    public TrustId TrustId => _identity.TrustId;

    /// <summary>The session it dialled last.</summary>
    public NodeSession? Dialed { get; private set; }

    /// <summary>Sessions that others opened with it.</summary>
    public int IncomingCount { get; private set; }

    /// <summary>Sees every datagram before it leaves; false keeps it from leaving.</summary>
    public Func<Endpoint, ReadOnlyMemory<byte>, bool>? Tap { get; set; }

    /// <summary>A scalar below the group's order from any generator.</summary>
    public static OwnerKey NewOwner(RandomSource random)
    {
        Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
        random.Fill(scalar);
        scalar[0] = 1;
        return OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner) ? owner : throw new InvalidOperationException("Not a scalar.");
    }

    /// <summary>Receives, keeps deadlines, sends; false when nothing was to be done.</summary>
    public bool Turn(byte[] buffer)
    {
        bool any = false;
        while (_socket.Available > 0)
        {
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            int bytes = _socket.ReceiveFrom(buffer, ref from);
            Machine.Handle(MonotonicClock.Now, Endpoint.From((IPEndPoint)from), buffer.AsSpan(0, bytes), Math.Max(bytes, 1));
            any = true;
        }

        Instant now = MonotonicClock.Now;
        if (Machine.NextDeadline <= now)
        {
            Machine.HandleTimeout(now);
            any = true;
        }

        while (Machine.TryEffect(now, out NodeEffect effect))
        {
            Dialed = effect.Kind == NodeEffectKind.Dialed ? effect.Session : Dialed;
            IncomingCount += effect.Kind == NodeEffectKind.Incoming ? 1 : 0;
            any = true;
        }

        while (Machine.TryTransmit(now, buffer, out Transmit transmit))
        {
            for (int offset = 0; offset < transmit.Bytes; offset += transmit.SegmentBytes)
            {
                ReadOnlyMemory<byte> datagram = buffer.AsMemory(offset, Math.Min(transmit.SegmentBytes, transmit.Bytes - offset));
                if (Tap?.Invoke(transmit.Path.Remote, datagram) ?? true)
                {
                    Send(transmit.Path.Remote, datagram.Span);
                }
            }

            any = true;
        }

        return any;
    }

    /// <summary>Says farewell to its homes and starts anew with the same keys and address.</summary>
    public void LeaveAndComeBack(HomeContact seed)
    {
        Machine.Leave(MonotonicClock.Now);
        _ = Turn(new byte[MaxDatagramBytes]);
        Machine.Dispose();
        Machine = NewMachine(seed);
    }

    /// <summary>Sends bytes from this device's own address, past its machine.</summary>
    public void Send(Endpoint to, ReadOnlySpan<byte> datagram) => _ = _socket.SendTo(datagram, SocketFlags.None, to.ToIPEndPoint());

    private NodeMachine NewMachine(HomeContact seed)
    {
        Instant now = MonotonicClock.Now;
        WallClock clock = new(now, new UnixTime(DateTimeOffset.UtcNow.ToUnixTimeSeconds()));
        NodeMachine machine = new(new NodeOptions { Seeds = [seed] }, _transportKey, _identity, SystemRandomSource.Shared, clock, now);
        machine.SetHostEndpoints(now, [Address]);
        return machine;
    }

    public void Dispose()
    {
        Machine.Dispose();
        _identity.Dispose();
        _device.Dispose();
        _transportKey.Dispose();
        _socket.Dispose();
    }
}
