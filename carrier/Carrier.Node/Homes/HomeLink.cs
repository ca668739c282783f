using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <summary>Where one home stands with us.</summary>
internal enum HomeLinkState
{
    Registering,
    Registered,
    Leaving,
}

/// <summary>Our side of one home: its lease, and the STUN requests that keep the NAT's mapping towards it open.</summary>
internal sealed class HomeLink(HomeContact contact, MappingLifetime lifetime)
{
    /// <summary>STUN requests left unanswered before the home is asked properly: a lost packet does not cost a home, six seconds of silence may.</summary>
    public const int MaxUnansweredKeepAlives = 3;

    private readonly byte[] _transaction = new byte[StunMessage.TransactionIdBytes];
    private int _unanswered;
    private bool _due;
    private Instant _leaseEndsAt;

    public HomeContact Contact { get; } = contact;

    public HomeLinkState State { get; set; } = HomeLinkState.Registering;

    /// <summary>Whether a question is on its way; a home has at most one.</summary>
    public bool IsAsking { get; set; }

    /// <summary>Questions in a row that brought no usable answer.</summary>
    public int Failures { get; set; }

    /// <summary>What to add to our wall clock for this home to believe it.</summary>
    public TimeSpan ClockOffset { get; set; }

    public Endpoint Observed { get; private set; }

    /// <summary>When to register again; never while asking.</summary>
    public Instant AskAt { get; set; } = Instant.Never;

    public Instant KeepAliveAt { get; private set; } = Instant.Never;

    public static TimeSpan KeepAliveRetry => TimeSpan.FromSeconds(2);

    public Instant NextDeadline => State == HomeLinkState.Registered ? Instant.Min(IsAsking ? Instant.Never : AskAt, KeepAliveAt) : AskAt;

    public void Registered(Instant now, in RegisterAnswer answer, RandomSource random)
    {
        State = HomeLinkState.Registered;
        Failures = 0;
        Observed = answer.Observed;
        AskAt = now + Jittered(answer.Lease / 2, random);
        _leaseEndsAt = now + answer.Lease;
        Rest(now, random);
    }

    /// <summary>Whether the home answered all it was asked.</summary>
    public bool IsAnswering => State == HomeLinkState.Registered && !IsAsking && _unanswered == 0;

    /// <summary>Sends nothing until <see cref="CheckNow"/>, which comes before <paramref name="until"/>; a renewal of the lease waits. False where the home does not answer, or the lease cannot wait.</summary>
    public bool TryFallSilent(Instant until)
    {
        if (!IsAnswering || until >= _leaseEndsAt)
        {
            return false;
        }

        (KeepAliveAt, AskAt) = (Instant.Never, Instant.Max(AskAt, until));
        return true;
    }

    /// <summary>Keeps alive sooner than it would have; not where it is silent.</summary>
    public void KeepAliveBy(Instant latest) => KeepAliveAt = KeepAliveAt == Instant.Never ? Instant.Never : Instant.Min(KeepAliveAt, latest);

    /// <summary>The keepalive's time came: a request is to be sent, or, after too many without an answer, false: ask the home itself.</summary>
    public bool TryKeepAlive(Instant now, RandomSource random)
    {
        if (_unanswered == MaxUnansweredKeepAlives)
        {
            Rest(now, random);
            return false;
        }

        if (_unanswered == 0)
        {
            random.Fill(_transaction); // a retransmission keeps its id (RFC 8489 §6.2.1), so that a late answer still counts
        }

        _unanswered++;
        _due = true;
        KeepAliveAt = now + KeepAliveRetry;
        return true;
    }

    /// <summary>Something suggests that the NAT's mapping changed: a keepalive now shows it.</summary>
    public void CheckNow(Instant now)
    {
        if (_unanswered == 0)
        {
            KeepAliveAt = now;
        }
    }

    public bool TryWriteKeepAlive(Span<byte> buffer, out int bytes)
    {
        bytes = _due ? StunMessage.WriteBindingRequest(buffer, _transaction) : 0;
        _due &= bytes == 0;
        return bytes > 0;
    }

    /// <summary>Takes a STUN answer from the home's endpoint; false when it is not to our request.</summary>
    public bool TryTakeKeepAlive(Instant now, in StunMessage answer, RandomSource random)
    {
        if (_unanswered == 0 || !answer.TransactionId.SequenceEqual(_transaction))
        {
            return false;
        }

        Rest(now, random);
        return true;
    }

    private void Rest(Instant now, RandomSource random)
    {
        _unanswered = 0;
        _due = false;
        KeepAliveAt = now + Jittered(lifetime.Interval, random);
    }

    // A tenth either way: clients that started together, after a power cut say, drift apart.
    private static TimeSpan Jittered(TimeSpan span, RandomSource random) => span * (0.9 + (0.2 * random.NextFraction()));
}
