using Carrier.Core;

namespace Carrier.Nat;

/// <summary>Answers STUN Binding requests (RFC 8489 §6.3), keeping nothing about those who ask but a rate.</summary>
/// <remarks>
/// The answer holds XOR-MAPPED-ADDRESS and nothing else, plus FINGERPRINT if the request had one: 32 bytes for the shortest request of 20
/// over IPv4 (1.6 times), 44 over IPv6 (2.2 times). It is the one answer here larger than what was asked, because STUN clients ask so; the
/// rate a source unit bounds what a spoofed source could be sent. Unknown comprehension-required attributes, RFC 5780's CHANGE-REQUEST and
/// RESPONSE-PORT among them, are refused with 420: an answer only ever goes back to where the request came from.
/// </remarks>
public sealed class StunServer
{
    /// <summary>The longest answer: header, ERROR-CODE, UNKNOWN-ATTRIBUTES of eight, FINGERPRINT. A buffer this long always suffices.</summary>
    public const int MaxAnswerBytes = 64;

    private const int UnknownAttributeError = 420;

    private readonly EndpointBuckets _perSourceUnit;
    private readonly DropCounters _drops;

    public StunServer(RandomSource random, DropCounters drops)
    {
        _drops = drops;
        _perSourceUnit = new(RatePerSourceUnit, random);
    }

    /// <summary>Answers a second to one source unit: a thousand clients behind one carrier-grade NAT keeping alive every 20 s need 50;
    /// at most 8.8 kB/s can be aimed at a victim's /48.</summary>
    public static TokenRate RatePerSourceUnit => new(200, 400);

    /// <summary>Answers <paramref name="request"/> into <paramref name="response"/>; false when nothing is to be sent back.</summary>
    public bool TryAnswer(Instant now, Endpoint remote, ReadOnlySpan<byte> request, Span<byte> response, out int bytes)
    {
        bytes = 0;
        if (!StunMessage.TryParse(request, out StunMessage message))
        {
            _drops.Count(DropReason.Malformed);
            return false;
        }

        if (!message.IsBinding || message.Class != StunClass.Request)
        {
            // An indication is a keepalive and wants no answer (RFC 8489 §6.3.2); an answer here was asked for by nobody.
            _drops.Count(message.Class == StunClass.Indication ? DropReason.NotForUs : DropReason.Unsolicited);
            return false;
        }

        if (remote.Port == 0 || remote.Scope == AddressScope.Unusable)
        {
            _drops.Count(DropReason.ScopeMismatch);
            return false;
        }

        if (!_perSourceUnit.TrySpend(now, remote.SourceUnit))
        {
            _drops.Count(DropReason.RateLimited);
            return false;
        }

        bytes = Write(remote, message, response);
        return bytes > 0;
    }

    private static int Write(Endpoint remote, in StunMessage request, Span<byte> response)
    {
        bool understood = request.UnknownRequired.IsEmpty;
        StunClass answer = understood ? StunClass.Success : StunClass.Error;
        StunWriter writer = new(response, answer, StunMessage.BindingMethod, request.TransactionId);
        if (understood)
        {
            writer.WriteXorMappedAddress(remote);
        }
        else
        {
            writer.WriteErrorCode(UnknownAttributeError);
            writer.WriteUnknownAttributes(request.UnknownRequired);
        }

        if (request.HasFingerprint)
        {
            writer.WriteFingerprint();
        }

        return writer.Overflowed ? 0 : writer.Written;
    }
}
