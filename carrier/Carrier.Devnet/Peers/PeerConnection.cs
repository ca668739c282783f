using System.Net.Sockets;
using Carrier.Chain.Spv;
using Carrier.Core;

namespace Carrier.Devnet.Peers;

/// <summary>A peer's stream: frames in to its session, frames out. The next message is read when all answers to the last are taken, so a peer that only asks waits.</summary>
internal sealed class PeerConnection(NetworkStream stream, PeerSession session, uint magic, Lock chainLock, Func<UnixTime> now) : IDisposable
{
    private readonly SemaphoreSlim _news = new(0, 1);
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly byte[] _header = new byte[PeerFrame.HeaderBytes];

    public PeerSession Session => session;

    /// <summary>Says that the session has something to send.</summary>
    public void Wake()
    {
        if (_news.CurrentCount == 0)
        {
            _ = _news.Release(); // only ever called under the chain's lock
        }
    }

    /// <summary>Serves until the peer leaves, breaks the protocol or takes too long.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task telling = TellAsync(end);
        try
        {
            while (await ReadFrameAsync(end.Token).ConfigureAwait(false) is { } message && TryHandle(message))
            {
                await TransmitAsync(end.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Hung up, too slow, or the devnet stops: all the same here.
        }

        await end.CancelAsync().ConfigureAwait(false);
        await telling.ConfigureAwait(false);
    }

    public void Dispose()
    {
        _news.Dispose();
        _writing.Dispose();
    }

    private bool TryHandle((string Command, byte[] Payload) message)
    {
        lock (chainLock)
        {
            return session.Handle(message.Command, message.Payload, now());
        }
    }

    private async Task TellAsync(CancellationTokenSource end)
    {
        try
        {
            while (true)
            {
                await _news.WaitAsync(end.Token).ConfigureAwait(false);
                await TransmitAsync(end.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            await end.CancelAsync().ConfigureAwait(false); // a peer that takes nothing is not read from either
        }
    }

    private async Task TransmitAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (TryNext(out ReadOnlyMemory<byte> frame))
            {
                using CancellationTokenSource limit = Within(PeerServer.FramePatience, cancellationToken);
                await stream.WriteAsync(frame, limit.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            _ = _writing.Release();
        }
    }

    private bool TryNext(out ReadOnlyMemory<byte> frame)
    {
        lock (chainLock)
        {
            return session.TryTransmit(out frame);
        }
    }

    /// <summary>The next message; null when there is none to be had: the stream ended, or its bytes are no frame of this network.</summary>
    private async Task<(string Command, byte[] Payload)?> ReadFrameAsync(CancellationToken cancellationToken)
    {
        using (CancellationTokenSource idle = Within(PeerServer.IdlePatience, cancellationToken))
        {
            if (await stream.ReadAtLeastAsync(_header, _header.Length, throwOnEndOfStream: false, idle.Token).ConfigureAwait(false) < _header.Length)
            {
                return null;
            }
        }

        if (PeerFrame.TryReadHeader(_header, magic, out string command, out int length) != FrameReading.Read || length > PeerServer.MaxPayloadBytes)
        {
            return null;
        }

        using CancellationTokenSource limit = Within(PeerServer.FramePatience, cancellationToken);
        byte[]? payload = await ReadPayloadAsync(length, limit.Token).ConfigureAwait(false);
        return payload is not null && PeerFrame.IsIntact(_header, payload) ? (command, payload) : null;
    }

    /// <summary>Grown as bytes arrive: a declared length costs its sender as much as us.</summary>
    private async Task<byte[]?> ReadPayloadAsync(int length, CancellationToken cancellationToken)
    {
        byte[] payload = new byte[Math.Min(length, 1 << 16)];
        for (int filled = 0; filled < length;)
        {
            if (filled == payload.Length)
            {
                Array.Resize(ref payload, Math.Min(length, 2 * filled));
            }

            int read = await stream.ReadAsync(payload.AsMemory(filled), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                return null;
            }

            filled += read;
        }

        return payload;
    }

    private static CancellationTokenSource Within(TimeSpan patience, CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(patience);
        return limit;
    }
}
