using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Rpc;

/// <summary>Every sealed call of a node, both ways: the DHT's own and those of the node above (homes, relay control, rendezvous).</summary>
/// <remarks>
/// Questions out are kept in a bounded table until an answer comes from the address and the key that were asked. Nothing is kept for
/// questions in: a <see cref="Question"/> is all it takes to answer. An answer is never longer than its question until the
/// question shows a valid address token. Effects of the DHT (its calls, and methods below <see cref="FirstNodeMethod"/>) are drained by
/// <see cref="DhtMachine"/>; the rest by <see cref="TryEffect"/>. Pure and single-threaded.
/// </remarks>
public sealed partial class RpcMachine(SealedMessages sealedMessages, AddressTokens tokens, RandomSource random, DropCounters drops)
{
    /// <summary>Methods from here on belong to the node above.</summary>
    public const int FirstNodeMethod = 16;

    /// <summary>Calls of ours in the air; more are not begun.</summary>
    public const int MaxPendingCalls = 2_048;

    /// <summary>Effects and answers not yet drained or sent; questions beyond are dropped as <see cref="DropReason.Full"/>.</summary>
    public const int MaxQueued = 1_024;

    /// <summary>What a question without an address token is padded to when its answer may be long.</summary>
    public const int PaddedQuestionBytes = 1_200;

    /// <summary>Every question is at least this long, so that a refusal with its token always fits into its length.</summary>
    public const int MinQuestionBytes = 128;

    /// <summary>The longest body a question can carry without an address token or an introduction (<see cref="AskOptions.NoToken"/>).</summary>
    public const int MaxQuestionBodyBytes =
        SealedMessages.MaxDatagramBytes - SealedMessages.QuestionOverheadBytes - QuestionMessage.MaxHeadBytes + 18 + 36;

    /// <summary>A call is given up after <see cref="PatienceFactor"/> adaptive timeouts, within these bounds.</summary>
    public static readonly TimeSpan MinPatience = TimeSpan.FromSeconds(1.5);

    public static readonly TimeSpan MaxPatience = TimeSpan.FromSeconds(4);

    /// <summary>When a question that takes work goes out for the second time, at the earliest: most lookups are over by then.</summary>
    private static readonly TimeSpan MinSlowInterval = TimeSpan.FromMilliseconds(250);

    private const int PatienceFactor = 4;

    /// <summary>How often one question goes out: at a node whose socket overflows in a flood, half of all datagrams may be lost.</summary>
    private const int MaxTransmissions = 4;

    private readonly Dictionary<ulong, PendingCall> _calls = [];
    private readonly PriorityQueue<ulong, Instant> _timers = new();
    private readonly Queue<ulong> _toSend = [];
    private readonly EffectQueue _dhtEffects = new();
    private readonly EffectQueue _nodeEffects = new();
    private readonly Peers _peers = new();
    private readonly byte[] _scratch = new byte[SealedMessages.MaxDatagramBytes];

    /// <summary>Who we are to others while we serve; null for a client. Set by <see cref="DhtMachine"/>.</summary>
    public Contact? Serving { get; internal set; }

    public ObservedAddresses Observed { get; } = new();

    public int PendingCalls => _calls.Count;

    public Instant NextDeadline => _timers.TryPeek(out _, out Instant at) ? at : Instant.Never;

    internal DropCounters Drops => drops;

    internal RandomSource Random => random;

    internal AddressTokens Tokens => tokens;

    /// <summary>Begins a call; exactly one Answered or Failed effect ends it. False when too many are pending or the body is too long.</summary>
    /// <param name="now">The time.</param>
    /// <param name="peer">The receiver's transport key; no other can read the question or answer it.</param>
    /// <param name="remote">Where to send it; an answer from elsewhere does not count.</param>
    /// <param name="method">What is asked, 0 to 65,535.</param>
    /// <param name="body">One CBOR item; copied.</param>
    /// <param name="options">How.</param>
    /// <param name="call">Names the call in its effects.</param>
    public bool TryAsk(
        Instant now, in PublicKey peer, Endpoint remote, int method, ReadOnlySpan<byte> body, AskOptions options, out CallId call)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)method, ushort.MaxValue);
        call = default;
        if (_calls.Count >= MaxPendingCalls || body.IsEmpty || body.Length > MaxQuestionBodyBytes)
        {
            return false;
        }

        ulong id = random.NextUInt64();
        while (id == 0 || _calls.ContainsKey(id))
        {
            id = random.NextUInt64();
        }

        call = new CallId(id);
        PendingCall pending = new(id, peer, remote, method, body, options) { GiveUpAt = now + MaxPatience };
        _calls.Add(id, pending);
        _toSend.Enqueue(id);
        SetTimer(pending, pending.GiveUpAt); // even if nothing is ever transmitted
        return true;
    }

    /// <summary>Gives a call up without an effect; a late answer is then unsolicited.</summary>
    public void Cancel(CallId call)
    {
        if (_calls.Remove(call.Value, out PendingCall? pending))
        {
            pending.ReturnBody();
        }
    }

    /// <summary>Takes one datagram of kind 0x40 or 0x41; it is decrypted in place.</summary>
    public void Handle(Instant now, Endpoint remote, Span<byte> datagram)
    {
        if (datagram.IsEmpty)
        {
            drops.Count(DropReason.Malformed);
        }
        else if (datagram[0] == (byte)PacketKind.SealedAnswer)
        {
            HandleAnswer(now, remote, datagram);
        }
        else if (datagram[0] == (byte)PacketKind.SealedQuestion)
        {
            HandleQuestion(now, remote, datagram);
        }
        else
        {
            drops.Count(DropReason.UnknownKind);
        }
    }

    public void HandleTimeout(Instant now)
    {
        while (_timers.TryPeek(out ulong id, out Instant at) && at <= now)
        {
            _ = _timers.Dequeue();
            if (_calls.TryGetValue(id, out PendingCall? call) && call.Timer == at)
            {
                CallTimer(now, call);
            }
        }
    }

    /// <summary>Writes the next datagram to send: answers first, then questions.</summary>
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        if (TryTransmitAnswer(buffer, out transmit))
        {
            return true;
        }

        while (_toSend.TryDequeue(out ulong id))
        {
            if (_calls.TryGetValue(id, out PendingCall? call) && TryTransmitCall(now, call, buffer, out transmit))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The next effect for the node above. Its body is valid until the next call of this method.</summary>
    public bool TryEffect(out RpcEffect effect) => _nodeEffects.TryTake(out effect);

    internal bool TryDhtEffect(out RpcEffect effect) => _dhtEffects.TryTake(out effect);

    private bool TryTransmitCall(Instant now, PendingCall call, Span<byte> buffer, out Transmit transmit)
    {
        QuestionMessage question = new() { CallId = call.Id, Method = call.Method, Body = call.Body };
        if ((call.Options & AskOptions.NoToken) == 0)
        {
            question.HasToken = _peers.TryGetToken(now, call.Peer, call.Remote, out question.Token);
        }

        if (Serving is { } self && (call.Options & AskOptions.Introduce) != 0)
        {
            question.HasAsker = true;
            question.AskerChoice = self.Choice;
            question.AskerKey = self.Key;
        }

        bool pad = !question.HasToken && (call.Options & AskOptions.LargeAnswer) != 0;
        CborWriter writer = new(_scratch);
        question.Write(ref writer);
        bool isSealed = sealedMessages.TrySealQuestion(
            now, call.Peer, writer.Encoded, pad ? PaddedQuestionBytes : MinQuestionBytes, buffer, out int bytes);
        transmit = new Transmit(new NetworkPath(call.Remote), bytes, bytes);
        if (writer.Overflowed || !isSealed)
        {
            End(call, new RpcEffect(RpcEffectKind.Failed, new CallId(call.Id)) { Failure = CallFailure.CannotSeal });
            return false;
        }

        if (call.Transmissions++ == 0)
        {
            TimeSpan timeout = _peers.TimeoutOf(call.Peer, call.Remote);
            timeout = call.IsSlow && timeout < MinSlowInterval ? MinSlowInterval : timeout;
            TimeSpan patience = call.IsSlow ? MaxPatience : timeout * PatienceFactor;
            call.SentAt = now;
            call.GiveUpAt = now + (patience < MinPatience ? MinPatience : patience > MaxPatience ? MaxPatience : patience);
            call.Interval = timeout;
            SetTimer(call, Instant.Min(now + timeout, call.GiveUpAt));
        }

        return true;
    }

    /// <summary>The adaptive timeout marks a call as stalled; it is sent again then, and at doubling intervals until it is given up.</summary>
    private void CallTimer(Instant now, PendingCall call)
    {
        if (now >= call.GiveUpAt)
        {
            _peers.TimedOut(call.Peer, call.Remote);
            End(call, new RpcEffect(RpcEffectKind.Failed, new CallId(call.Id)) { Failure = CallFailure.TimedOut });
            return;
        }

        if (!call.Stalled && !call.IsSlow)
        {
            call.Stalled = true;
            _peers.TimedOut(call.Peer, call.Remote);
            QueueOf(call).Add(
                new RpcEffect(RpcEffectKind.Stalled, new CallId(call.Id)) { Peer = call.Peer, Remote = call.Remote }, default);
        }

        if ((call.Options & AskOptions.Once) != 0 || call.Transmissions >= MaxTransmissions)
        {
            SetTimer(call, call.GiveUpAt);
            return;
        }

        _toSend.Enqueue(call.Id);
        call.Interval *= 2;
        SetTimer(call, Instant.Min(now + call.Interval, call.GiveUpAt));
    }

    private void HandleAnswer(Instant now, Endpoint remote, Span<byte> datagram)
    {
        if (!SealedMessages.TryReadCallId(datagram, out ulong id)
            || !_calls.TryGetValue(id, out PendingCall? call)
            || call.Transmissions == 0
            || call.Remote != remote)
        {
            drops.Count(DropReason.Unsolicited);
            return;
        }

        if (!sealedMessages.TryOpenAnswer(now, call.Peer, datagram, out Span<byte> plaintext))
        {
            return; // counted there; whoever forged it does not end the call
        }

        if (call.Transmissions == 1 && !call.IsSlow)
        {
            _peers.Answered(call.Peer, remote, now - call.SentAt); // Karn: a repeated question has no honest round trip
        }

        if (!AnswerMessage.TryParse(plaintext, out AnswerMessage answer))
        {
            drops.Count(DropReason.Malformed);
            End(call, new RpcEffect(RpcEffectKind.Failed, new CallId(id)) { Failure = CallFailure.Malformed });
            return;
        }

        _peers.RememberToken(now, call.Peer, remote, answer.Token);
        Observed.Add(now, remote, answer.Observed);
        if (answer.Refusal == Refusal.AddressNotProven && !call.AskedAgain)
        {
            call.AskedAgain = true;
            call.Transmissions = 0;
            _toSend.Enqueue(id);
            return;
        }

        RpcEffect effect = answer.Refusal == Refusal.None
            ? new RpcEffect(RpcEffectKind.Answered, new CallId(id))
            : new RpcEffect(RpcEffectKind.Failed, new CallId(id)) { Failure = CallFailure.Refused, Refusal = answer.Refusal };
        Contact? serves = answer.HasChoice ? new Contact(call.Peer, answer.Choice, remote) : null;
        End(call, effect with { Observed = answer.Observed, Serves = serves }, answer.Body);
    }

    private void End(PendingCall call, RpcEffect effect, ReadOnlySpan<byte> body = default)
    {
        _ = _calls.Remove(call.Id);
        QueueOf(call).Add(effect with { Peer = call.Peer, Remote = call.Remote }, body);
        call.ReturnBody();
    }

    private EffectQueue QueueOf(PendingCall call) => call.Method < FirstNodeMethod ? _dhtEffects : _nodeEffects;

    private void SetTimer(PendingCall call, Instant at)
    {
        call.Timer = at;
        _timers.Enqueue(call.Id, at);
    }
}
