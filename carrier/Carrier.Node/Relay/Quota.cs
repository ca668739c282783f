namespace Carrier.Node.Relay;

/// <summary>Counts what each key holds and refuses beyond a limit. As large as what is held, which its owner bounds.</summary>
internal sealed class Quota<TKey>(int limit)
    where TKey : notnull
{
    private readonly Dictionary<TKey, int> _held = [];

    public bool TryTake(TKey key)
    {
        int held = _held.GetValueOrDefault(key);
        if (held >= limit)
        {
            return false;
        }

        _held[key] = held + 1;
        return true;
    }

    public void Release(TKey key)
    {
        int held = _held.GetValueOrDefault(key);
        if (held <= 1)
        {
            _ = _held.Remove(key);
        }
        else
        {
            _held[key] = held - 1;
        }
    }
}
