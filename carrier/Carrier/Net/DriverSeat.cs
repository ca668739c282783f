namespace Carrier.Net;

/// <summary>
/// Which of two threads drives a node's sockets. The one in the seat lends itself to the application for short work between two turns, which saves
/// waking another thread for it. When it is not back in time the other takes the seat, and the two have changed places.
/// </summary>
/// <remarks>The second thread is made by the first loan, looks every <see cref="Patience"/> while there are loans, and sleeps when there are none.</remarks>
/// <param name="drive">Drives until the seat is lost, or the node's end.</param>
internal sealed class DriverSeat(Action drive) : IDisposable
{
    /// <summary>How long the sockets may go without a driver; between two looks, twice as long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(5);

    private readonly object _door = new();

    // Odd while the driver is lent. Every change is another number, so that a look tells whether the loan is the one seen before.
    private long _loans;

    // Whether the other thread sleeps until it is called, or there is none yet. Written behind the door.
    private bool _isParked = true;
    private bool _hasRelief;
    private volatile bool _isClosed;

    /// <summary>Leaves the seat for a moment. The driver only, and not again before <see cref="TryReturn"/>.</summary>
    /// <returns>The loan.</returns>
    public long Lend()
    {
        long loan = Interlocked.Increment(ref _loans);
        if (Volatile.Read(ref _isParked))
        {
            CallRelief();
        }

        return loan;
    }

    /// <summary>Ends a loan and takes the seat; false when the other thread did, and the caller is to <see cref="Relieve"/> that one.</summary>
    public bool TryReturn(long loan) => Interlocked.CompareExchange(ref _loans, loan + 1, loan) == loan;

    /// <summary>Stays beside the seat, and drives when it is left empty, until the seat is disposed of.</summary>
    public void Relieve()
    {
        long seen = -1;
        while (!_isClosed)
        {
            Thread.Sleep(Patience);
            long loan = Volatile.Read(ref _loans);
            bool isLent = (loan & 1) != 0;
            if (loan != seen)
            {
                seen = loan;
            }
            else if (!isLent)
            {
                Park(seen);
            }
            else if (TryReturn(loan))
            {
                drive();
                seen = -1;
            }
        }
    }

    /// <summary>Lets the thread beside the seat end.</summary>
    public void Dispose()
    {
        _isClosed = true;
        lock (_door)
        {
            _isParked = false;
            Monitor.PulseAll(_door);
        }
    }

    private void CallRelief()
    {
        lock (_door)
        {
            _isParked = false;
            Monitor.PulseAll(_door);
            if (!_hasRelief)
            {
                _hasRelief = true;
                new Thread(Relieve) { Name = "carrier-relief", IsBackground = true }.UnsafeStart();
            }
        }
    }

    /// <summary>Sleeps until the driver is lent again: it was not since the last look.</summary>
    private void Park(long seen)
    {
        lock (_door)
        {
            _isParked = true;
            Interlocked.MemoryBarrier(); // Lend looks whether we are parked after it counted, we whether it counted after we are
            _isParked = Volatile.Read(ref _loans) == seen && !_isClosed;
            while (_isParked)
            {
                _ = Monitor.Wait(_door);
            }
        }
    }
}
