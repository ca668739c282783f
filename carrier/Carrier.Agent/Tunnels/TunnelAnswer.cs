using Carrier.Core.Wire;

namespace Carrier.Agent.Tunnels;

/// <summary>The first thing that comes back on a stream of <c>carrier/services/1</c>.</summary>
/// <remarks>
/// <code>
///  varint length ‖ CBOR map
///   0  outcome  uint   TunnelOutcome; one a reader does not know is a refusal
///   1… unknown keys    skipped
/// </code>
/// </remarks>
internal static class TunnelAnswer
{
    public static int Write(Span<byte> destination, TunnelOutcome outcome)
    {
        var writer = new CborWriter(destination);
        writer.WriteMap(1);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)outcome);
        return writer.Written;
    }

    public static bool TryParse(ReadOnlySpan<byte> encoded, out TunnelOutcome outcome)
    {
        outcome = TunnelOutcome.Refused;
        var reader = new CborReader(encoded);
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs < 1 || !reader.TryReadKey(ref key) || key != 0 || !reader.TryReadUInt(out ulong code))
        {
            return false;
        }

        for (int read = 1; read < pairs; read++)
        {
            if (!reader.TryReadKey(ref key) || !reader.TrySkip())
            {
                return false;
            }
        }

        outcome = code <= (ulong)TunnelOutcome.TargetUnreachable ? (TunnelOutcome)code : TunnelOutcome.Refused;
        return reader.AtEnd;
    }
}

/// <summary>What became of a request.</summary>
internal enum TunnelOutcome
{
    Open = 0,

    /// <summary>There is no such service, or it is not for this peer: a stranger learns no more.</summary>
    Refused = 1,

    /// <summary>The service, or this peer's share of it, has all the connections it takes.</summary>
    Busy = 2,

    /// <summary>The service is there, what it leads to is not.</summary>
    TargetUnreachable = 3,
}
