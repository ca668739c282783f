using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Node.Homes;

namespace Carrier.Node.Serving;

/// <summary>Answers knock-later questions: sends one small datagram, some seconds later, to where the question came from, so that a device learns how long its NAT keeps a mapping.</summary>
/// <remarks>
/// Only to a device registered at that address, and only if it still is when the time has come; one knock to come a registration, the newest. Each is paid for when it is asked for,
/// from the same budgets as a knock at once (<see cref="Knocks.Rate"/>), so there are never more than these allow in <see cref="KnockLaterQuestion.MaxDelaySeconds"/>: 7,000.
/// </remarks>
internal sealed class DelayedKnocks(HomeServer homes, Knocks knocks, DropCounters drops)
{
    private readonly PriorityQueue<Ask, Instant> _asks = new();

    public Instant NextDeadline => _asks.TryPeek(out _, out Instant at) ? at : Instant.Never;

    /// <summary>Answers one question body of a proven address; returns the length of the answer, zero when the question is malformed.</summary>
    public int Answer(Instant now, Endpoint remote, ReadOnlySpan<byte> body, Span<byte> answer)
    {
        if (!KnockLaterQuestion.TryParse(body, out KnockLaterQuestion question))
        {
            drops.Count(DropReason.Malformed);
            return 0;
        }

        return new KnockAnswer(Take(now, remote, question)).Encode(answer);
    }

    public void HandleTimeout(Instant now)
    {
        while (NextDeadline <= now)
        {
            Ask ask = _asks.Dequeue();
            if (homes.TryFind(now, ask.Device, ask.Remote, out Registration? device) && device.KnockTransaction == ask.TransactionId)
            {
                device.KnockTransaction = null;
                knocks.Send(new NetworkPath(ask.Remote), ask.TransactionId);
            }
        }
    }

    private KnockStatus Take(Instant now, Endpoint remote, in KnockLaterQuestion question)
    {
        if (!homes.TryFind(now, question.Device, remote, out Registration? device))
        {
            drops.Count(DropReason.NotAuthorized);
            return KnockStatus.NotRegistered;
        }

        if (!knocks.TrySpend(now, remote))
        {
            return KnockStatus.OverQuota;
        }

        device.KnockTransaction = question.TransactionId.ToArray();
        _asks.Enqueue(new Ask(question.Device, remote, device.KnockTransaction), now + TimeSpan.FromSeconds(question.DelaySeconds));
        return KnockStatus.Sent;
    }

    /// <param name="TransactionId">This very array is the registration's, or another knock was asked for since.</param>
    private readonly record struct Ask(PublicKey Device, Endpoint Remote, byte[] TransactionId);
}
