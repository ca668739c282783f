namespace Carrier.Core.Crypto;

/// <summary>Remembers the questions that must not be obeyed twice for as long as the address token in them is accepted.</summary>
/// <remarks>
/// Two generations of one token epoch each: what is added in an epoch is remembered to the end of the next, and the token it carried is
/// dead by then. A full generation refuses rather than forgets, and a source cannot fill it alone.
/// </remarks>
public sealed class ReplayCache(DropCounters drops)
{
    /// <summary>Questions remembered a generation: 16,384 of 48 bytes, under two megabytes for both.</summary>
    public const int MaxQuestions = 16_384;

    /// <summary>Of these, what one source unit (<see cref="Endpoint.SourceUnit"/>) may take.</summary>
    public const int MaxQuestionsPerSource = 512;

    private readonly Dictionary<Endpoint, int> _takenBySource = [];
    private HashSet<Question> _current = [];
    private HashSet<Question> _previous = [];
    private long _epoch;

    /// <summary>False, and counted, when this question was seen before or there is no room to remember it: do not obey it.</summary>
    /// <param name="remote">Whom to charge; its address was proven by the token.</param>
    public bool TryAdd(Instant now, Endpoint remote, in PublicKey asker, ulong callId)
    {
        Rotate(RotatingMac.EpochAt(now, AddressTokens.Epoch));
        Question question = new(asker, callId);
        if (_current.Contains(question) || _previous.Contains(question))
        {
            drops.Count(DropReason.Replayed);
            return false;
        }

        int taken = _takenBySource.GetValueOrDefault(remote.SourceUnit);
        if (_current.Count >= MaxQuestions || taken >= MaxQuestionsPerSource)
        {
            drops.Count(DropReason.Full);
            return false;
        }

        _takenBySource[remote.SourceUnit] = taken + 1;
        _ = _current.Add(question);
        return true;
    }

    private void Rotate(long epoch)
    {
        if (epoch == _epoch)
        {
            return;
        }

        (_previous, _current) = (_current, _previous);
        _current.Clear();
        if (epoch != _epoch + 1)
        {
            _previous.Clear();
        }

        _takenBySource.Clear();
        _epoch = epoch;
    }

    private readonly record struct Question(PublicKey Asker, ulong CallId);
}
