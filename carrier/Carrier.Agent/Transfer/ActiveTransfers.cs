namespace Carrier.Agent.Transfer;

/// <summary>The transfers being received by this process: so many at a time, and each at most once. A sender that comes back takes over from its dead session.</summary>
internal sealed class ActiveTransfers
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Destination, TransferId Id), Lease> _leases = [];

    /// <summary>Takes the transfer over, waiting for whoever had it to let go; null when too many others are going on.</summary>
    public async Task<Lease?> TakeAsync(string destination, TransferId id, CancellationToken cancellationToken)
    {
        (string, TransferId) key = (Path.GetFullPath(destination), id);
        while (true)
        {
            Lease? former;
            lock (_gate)
            {
                if (!_leases.TryGetValue(key, out former))
                {
                    if (_leases.Count >= TransferLimits.MaxConcurrentTransfers)
                    {
                        return null;
                    }

                    var lease = new Lease(this, key);
                    _leases.Add(key, lease);
                    return lease;
                }
            }

            await former.SupersedeAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void Release((string Destination, TransferId Id) key)
    {
        lock (_gate)
        {
            _leases.Remove(key);
        }
    }

    /// <summary>The right to write one transfer's files, until disposed or superseded.</summary>
    internal sealed class Lease(ActiveTransfers owner, (string Destination, TransferId Id) key) : IDisposable
    {
        private readonly CancellationTokenSource _superseded = new();
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Cancelled when the same sender came back over another session.</summary>
        public CancellationToken Superseded => _superseded.Token;

        public async Task SupersedeAsync()
        {
            await _superseded.CancelAsync().ConfigureAwait(false);
            await _released.Task.ConfigureAwait(false);
        }

        public void Dispose()
        {
            owner.Release(key);
            _released.TrySetResult();
        }
    }
}
