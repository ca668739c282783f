using Carrier.Core;
using Carrier.Node.Homes;

namespace Carrier.Benchmarks.Seeds;

/// <summary>Many devices in one thread.</summary>
internal sealed class ClientCrowd(int count, HomeContact seed) : IDisposable
{
    private readonly DrivenDevice[] _clients = [.. Enumerable.Range(0, count).Select(_ => new DrivenDevice(seed))];
    private readonly byte[] _buffer = new byte[DrivenDevice.MaxDatagramBytes];

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
            foreach (DrivenDevice client in _clients)
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
}
