using System.Net;
using System.Net.Sockets;
using Carrier.Chain.Access;
using Carrier.Chain.Spv;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Peers;

namespace Carrier.Tests.Chain;

/// <summary>A peer over real loopback TCP that answers from a chain, and can be told to misbehave in any message.</summary>
internal sealed class TestPeer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _chainLock;
    private readonly Task _serving;

    public TestPeer(DevnetChain chain, Lock chainLock)
    {
        _chainLock = chainLock;
        _listener.Start();
        _serving = ServeAsync(chain);
    }

    public PeerEndpoint Endpoint => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    /// <summary>Changes what the peer hears: command and payload.</summary>
    public Func<string, byte[], byte[]>? Mishear { get; set; }

    /// <summary>Changes what the peer says: command and payload; null for nothing at all.</summary>
    public Func<string, byte[], byte[]?>? Lie { get; set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync(DevnetChain chain)
    {
        List<Task> connections = [];
        try
        {
            while (true)
            {
                connections.Add(AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token), chain));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task AnswerAsync(TcpClient client, DevnetChain chain)
    {
        using (client)
        {
            NetworkStream stream = client.GetStream();
            var session = new PeerSession(chain, chain.Network.Magic, nonce: 7);
            byte[] header = new byte[PeerFrame.HeaderBytes];
            try
            {
                while (true)
                {
                    await stream.ReadExactlyAsync(header, _stop.Token);
                    Assert.Equal(FrameReading.Read, PeerFrame.TryReadHeader(header, chain.Network.Magic, out string command, out int length));
                    byte[] payload = new byte[length];
                    await stream.ReadExactlyAsync(payload, _stop.Token);
                    foreach (byte[] frame in Answers(session, command, Mishear?.Invoke(command, payload) ?? payload, chain.Network.Magic))
                    {
                        await stream.WriteAsync(frame, _stop.Token);
                    }
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // The client hung up, or the test is over.
            }
        }
    }

    private List<byte[]> Answers(PeerSession session, string command, byte[] payload, uint magic)
    {
        List<byte[]> frames = [];
        lock (_chainLock)
        {
            Assert.True(session.Handle(command, payload, new Core.UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds())));
            while (session.TryTransmit(out ReadOnlyMemory<byte> frame))
            {
                Assert.Equal(FrameReading.Read, PeerFrame.TryReadHeader(frame.Span, magic, out string said, out _));
                byte[] honest = frame[PeerFrame.HeaderBytes..].ToArray();
                if ((Lie is null ? honest : Lie(said, honest)) is { } told)
                {
                    frames.Add(PeerFrame.Encode(magic, said, told));
                }
            }
        }

        return frames;
    }
}
