using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Transport;

namespace Carrier.Node.Serving;

/// <summary>Answers knock questions: sends one small datagram to a port of the address that asked, so that a device learns whom its NAT lets in.</summary>
/// <remarks>
/// The address is proven and cannot be chosen, what is sent is smaller than the question, and a source unit has a rate. Nobody can be made to
/// receive what he did not ask for, but by a neighbour behind the same address.
/// </remarks>
internal sealed class Knocks(Outbox outbox, RandomSource random, DropCounters drops)
{
    /// <summary>The number of the socket that stands for "another port of ours"; sockets of attempts are numbered below.</summary>
    public const ushort OtherSocket = ushort.MaxValue;

    private readonly EndpointBuckets _perSourceUnit = new(PerSourceUnit, random);
    private TokenBucket _all;

    /// <summary>Two knocks or four a device that starts or moves: a carrier's worth of them at once.</summary>
    public static TokenRate PerSourceUnit => new(8, 256);

    public static TokenRate Rate => new(200, 1000);

    /// <summary>Answers one question body; returns the length of the answer, zero when the question is malformed.</summary>
    public int Answer(Instant now, Endpoint remote, ReadOnlySpan<byte> body, Span<byte> answer)
    {
        if (!KnockQuestion.TryParse(body, out KnockQuestion question))
        {
            drops.Count(DropReason.Malformed);
            return 0;
        }

        if (!TrySpend(now, remote))
        {
            return new KnockAnswer(KnockStatus.OverQuota).Encode(answer);
        }

        Send(new NetworkPath(remote.WithPort(question.Port), Socket: question.FromOtherPort ? OtherSocket : (ushort)0), question.TransactionId);
        return new KnockAnswer(KnockStatus.Sent).Encode(answer);
    }

    /// <summary>Takes one knock from what the asker's network and all together may have.</summary>
    public bool TrySpend(Instant now, Endpoint remote)
    {
        if (!_perSourceUnit.CanSpend(now, remote.SourceUnit) || !_all.TrySpend(now, Rate))
        {
            drops.Count(DropReason.RateLimited);
            return false;
        }

        _perSourceUnit.Spend(now, remote.SourceUnit);
        return true;
    }

    public void Send(in NetworkPath path, ReadOnlySpan<byte> transactionId)
    {
        if (outbox.TryReserve(StunServer.MaxAnswerBytes, out Span<byte> room))
        {
            outbox.Commit(path, StunMessage.WriteBindingSuccess(room, transactionId, path.Remote));
        }
    }
}
