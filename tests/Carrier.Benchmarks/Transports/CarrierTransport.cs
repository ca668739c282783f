using System.Net;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Net;

namespace Carrier.Benchmarks.Transports;

/// <summary>Carrier through its public API: the server process holds a seed and a device that listens; the client knows the seed and dials the device by TrustID.</summary>
internal sealed class CarrierTransport(BenchOptions options) : TransportUnderTest
{
    private const string Protocol = "bench/1";

    /// <summary>Streams of one session served at once.</summary>
    private const int MaxServed = 256;

    private readonly DeviceKeys _device = DeviceKeys.Generate(SystemRandomSource.Shared);
    private readonly TransportKey _transportKey = TransportKey.Generate(SystemRandomSource.Shared);
    private CarrierNode? _seed;
    private CarrierNode? _node;

    public override long Packets => _node is null ? 0 : _node.Counters.DatagramsSent + _node.Counters.DatagramsReceived;

    public override async Task<string> ListenAsync(Func<Stream, Task> serve)
    {
        _seed = await CarrierNode.StartAsync(new CarrierNodeOptions
        {
            Identity = new NodeIdentity(_transportKey),
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Serve = true,
        });
        _node = await StartAsync(_seed.ServingAddress!.Value);
        _ = _node.Listen(Protocol, async (session, stop) =>
        {
            HashSet<Task> serving = [];
            while (await session.AcceptStreamAsync(stop) is { } stream)
            {
                _ = serving.Add(ServeAsync(stream, serve));
                if (serving.Count >= MaxServed)
                {
                    _ = serving.Remove(await Task.WhenAny(serving));
                    _ = serving.RemoveWhere(task => task.IsCompleted);
                }
            }

            await Task.WhenAll(serving);
        });
        await _node.WaitUntilReadyAsync();
        return $"{_node.TrustId}/{_seed.ServingAddress}/{_node.LocalEndpoints[0]}";
    }

    /// <summary>Dials, and leaves the streams to the caller.</summary>
    public async Task<CarrierSession> DialAsync(string arg)
    {
        if (!TrustId.TryParse(arg.Split('/')[0], out TrustId peer) || !SeedAddress.TryParse(arg.Split('/')[1], out SeedAddress seed))
        {
            throw new ArgumentException($"'{arg}' is no TrustID and seed.");
        }

        _node ??= await StartAsync(seed);
        return await _node.ConnectAsync(peer, Protocol);
    }

    public override async Task<Stream> ConnectAsync(string arg)
    {
        CarrierSession session = await DialAsync(arg);
        return new SessionStream(session, (await session.OpenStreamAsync()).AsStream());
    }

    public override async Task<Stream?> OpenAsync(Stream stream) => (await ((SessionStream)stream).Session.OpenStreamAsync()).AsStream();

    /// <summary>Live streams of all sessions, and slabs out with them.</summary>
    public Task<(int Streams, int Slabs)> HeldAsync() => _node is null ? Task.FromResult((0, 0)) : _node.HeldAsync();

    public override async ValueTask DisposeAsync()
    {
        if (_node is not null)
        {
            await _node.DisposeAsync();
        }

        if (_seed is not null)
        {
            await _seed.DisposeAsync();
        }

        _device.Dispose();
        _transportKey.Dispose();
    }

    private static async Task ServeAsync(CarrierStream stream, Func<Stream, Task> serve)
    {
        try
        {
            await serve(stream.AsStream());
            await stream.DisposeAsync();
        }
        catch (CarrierException)
        {
            return; // the client went away
        }
    }

    private Task<CarrierNode> StartAsync(SeedAddress seed)
    {
        Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
        SystemRandomSource.Shared.Fill(scalar);
        scalar[0] = 0; // below the order of the curve
        _ = OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner);
        using (owner)
        {
            UnixTime now = new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
            var delegation = Delegation.Issue(owner!, _device, 1, now - TimeSpan.FromHours(1), now + TimeSpan.FromDays(1), DelegationUses.All);
            return CarrierNode.StartAsync(new CarrierNodeOptions
            {
                Identity = new NodeIdentity(_device, delegation),
                Listen = new IPEndPoint(IPAddress.Loopback, 0),
                Seeds = [seed],
                ForcedCipher = options.Cipher is { } cipher ? Enum.Parse<CipherSuite>(cipher, ignoreCase: true) : null,
                ForcedSocketKind = options.NoGso ? SocketKind.Mmsg : null,
                SpinBeforeBlocking = options.Spin ? TimeSpan.FromMicroseconds(50) : TimeSpan.Zero,
            });
        }
    }

    /// <summary>A stream that closes its session when it is disposed.</summary>
    private sealed class SessionStream(CarrierSession session, Stream inner) : Stream
    {
        public CarrierSession Session => session;

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => inner.Position = value;
        }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.WriteAsync(buffer, cancellationToken);

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void SetLength(long value) => inner.SetLength(value);

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await session.DisposeAsync();
            await base.DisposeAsync();
            GC.SuppressFinalize(this);
        }
    }
}
