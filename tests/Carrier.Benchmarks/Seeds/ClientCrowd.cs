using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Node;
using Carrier.Node.Homes;

namespace Carrier.Benchmarks.Seeds;

/// <summary>Many devices in one thread: the shipped node machines, each with an owner and a UDP socket of its own.</summary>
internal sealed class ClientCrowd : IDisposable
{
    private const int MaxDatagramBytes = 65_536;

    private readonly Client[] _clients;
    private readonly byte[] _buffer = new byte[MaxDatagramBytes];

    public ClientCrowd(int count, HomeContact seed)
    {
        RandomSource random = SystemRandomSource.Shared;
        _clients = [.. Enumerable.Range(0, count).Select(_ => new Client(seed, random))];
    }

    /// <summary>How many are part of the network: registered, and their record stored.</summary>
    public int ReadyCount { get; private set; }

    /// <summary>Drives all of them until <paramref name="isDone"/> or the time is up; returns how long it took.</summary>
    public TimeSpan Drive(TimeSpan limit, Func<bool> isDone)
    {
        Instant start = MonotonicClock.Now;
        while (MonotonicClock.Now - start < limit && !isDone())
        {
            int ready = 0;
            bool isIdle = true;
            foreach (Client client in _clients)
            {
                isIdle &= !client.Turn(_buffer);
                ready += client.Machine.IsReady ? 1 : 0;
            }

            ReadyCount = ready;
            if (isIdle)
            {
                Thread.Sleep(1);
            }
        }

        return MonotonicClock.Now - start;
    }

    public void Dispose() => Array.ForEach(_clients, client => client.Dispose());

    private sealed class Client : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly TransportKey _transportKey;
        private readonly DeviceKeys _device;
        private readonly LocalIdentity _identity;

        public Client(HomeContact seed, RandomSource random)
        {
            _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _socket.Blocking = false;
            _transportKey = TransportKey.Generate(random);
            _device = DeviceKeys.Generate(random);
            Instant now = MonotonicClock.Now;
            UnixTime today = new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
            using OwnerKey owner = NewOwner(random);
            _identity = new LocalIdentity(
                _device, Delegation.Issue(owner, _device, 1, today - TimeSpan.FromHours(1), today + TimeSpan.FromDays(1), DelegationUses.All));
            Machine = new NodeMachine(new NodeOptions { Seeds = [seed] }, _transportKey, _identity, random, new WallClock(now, today), now);
            Machine.SetHostEndpoints(now, [Endpoint.From((IPEndPoint)_socket.LocalEndPoint!)]);
        }

        public NodeMachine Machine { get; }

        /// <summary>Receives, keeps deadlines, sends; false when nothing was to be done.</summary>
        public bool Turn(byte[] buffer)
        {
            bool any = false;
            while (_socket.Available > 0)
            {
                EndPoint from = new IPEndPoint(IPAddress.Any, 0);
                int bytes = _socket.ReceiveFrom(buffer, ref from);
                Machine.Handle(MonotonicClock.Now, Endpoint.From((IPEndPoint)from), buffer.AsSpan(0, bytes), bytes);
                any = true;
            }

            Instant now = MonotonicClock.Now;
            if (Machine.NextDeadline <= now)
            {
                Machine.HandleTimeout(now);
                any = true;
            }

            while (Machine.TryEffect(now, out _))
            {
                any = true; // nobody listens: readiness is asked for
            }

            while (Machine.TryTransmit(now, buffer, out Transmit transmit))
            {
                for (int offset = 0; offset < transmit.Bytes; offset += transmit.SegmentBytes)
                {
                    int segment = Math.Min(transmit.SegmentBytes, transmit.Bytes - offset);
                    _ = _socket.SendTo(buffer, offset, segment, SocketFlags.None, transmit.Path.Remote.ToIPEndPoint());
                }

                any = true;
            }

            return any;
        }

        public void Dispose()
        {
            Machine.Dispose();
            _identity.Dispose();
            _device.Dispose();
            _transportKey.Dispose();
            _socket.Dispose();
        }

        private static OwnerKey NewOwner(RandomSource random)
        {
            Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
            random.Fill(scalar);
            scalar[0] = 1; // below the group's order
            return OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner) ? owner : throw new InvalidOperationException("Not a scalar.");
        }
    }
}
