using System.Text;
using Carrier.Core.Session.Frames;

namespace Carrier.Core.Session;

/// <summary>The end of a session: states after Open, and when CLOSE is sent (RFC 9000 §10.2).</summary>
internal sealed class CloseState
{
    private byte[] _reason = [];
    private int _heard;
    private int _answerAt = 1;

    public SessionState State { get; private set; } = SessionState.Unconfirmed;

    /// <summary>How the session ended; meaningful once <see cref="State"/> is past Open.</summary>
    public SessionClose Close { get; private set; }

    /// <summary>When the closing or draining period is over.</summary>
    public Instant EndsAt { get; private set; } = Instant.Never;

    public bool ClosePending { get; set; }

    public bool IsLive => State is SessionState.Unconfirmed or SessionState.Open;

    public void Confirm() => State = SessionState.Open;

    public void BeginClosing(in SessionClose close, Instant endsAt)
    {
        Close = close;
        State = SessionState.Closing;
        EndsAt = endsAt;
        ClosePending = true;
        byte[] reason = Encoding.UTF8.GetBytes(close.Reason);
        _reason = reason.Length <= CloseFrame.MaxReasonBytes ? reason : reason[..CloseFrame.MaxReasonBytes];
    }

    public void BeginDraining(in SessionClose close, Instant endsAt)
    {
        // A closing session already said how it ended; it only stops talking.
        Close = State == SessionState.Closing ? Close : close;
        EndsAt = State == SessionState.Closing ? EndsAt : endsAt;
        State = SessionState.Draining;
        ClosePending = false;
    }

    /// <summary>Over without a word: idle, reset, or nobody to tell.</summary>
    public void EndNow(in SessionClose close)
    {
        Close = State is SessionState.Closing or SessionState.Draining ? Close : close;
        State = SessionState.Closed;
        EndsAt = Instant.Never;
        ClosePending = false;
    }

    /// <summary>A packet came while closing. The first is answered, then every second, fourth, eighth ...: two closed ends fall silent.</summary>
    public void OnPacketWhileClosing()
    {
        if (++_heard >= _answerAt)
        {
            _answerAt *= 2;
            _heard = 0;
            ClosePending = true;
        }
    }

    public CloseFrame Frame() => new() { Code = Close.Code, IsApplication = Close.Kind == CloseKind.Application, Reason = _reason };
}
