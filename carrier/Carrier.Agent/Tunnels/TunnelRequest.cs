using Carrier.Core.Wire;

namespace Carrier.Agent.Tunnels;

/// <summary>The first thing on a stream of <c>carrier/services/1</c>: which service, and what for.</summary>
/// <remarks>
/// <code>
///  varint length ‖ CBOR map
///   0  version  uint   1
///   1  kind     uint   TunnelKind
///   2  service  text   not with kind 3: 1 … 63 of a–z 0–9 -, neither first nor last a -
///   3  flow     uint   only with kind 2: the number its datagrams bear, 0 … 2^30 - 1, new in this session
///   4… unknown keys    skipped
/// </code>
/// The opener need not wait for the <see cref="TunnelAnswer"/>: its bytes may follow at once.
/// </remarks>
internal readonly record struct TunnelRequest(TunnelKind Kind, ServiceName Service, ulong Flow = 0)
{
    private const ulong Version = 1;

    /// <summary>Writes the map and returns its length; <see cref="TunnelLimits.MaxRequestBytes"/> are always enough.</summary>
    public int Write(Span<byte> destination)
    {
        var writer = new CborWriter(destination);
        writer.WriteMap(Kind switch { TunnelKind.Flow => 4, TunnelKind.Presence => 2, _ => 3 });
        writer.WriteUInt(0);
        writer.WriteUInt(Version);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Kind);
        if (Kind != TunnelKind.Presence)
        {
            writer.WriteUInt(2);
            writer.WriteText(Service.Text);
        }

        if (Kind == TunnelKind.Flow)
        {
            writer.WriteUInt(3);
            writer.WriteUInt(Flow);
        }

        return writer.Written;
    }

    /// <summary>Reads the map whole. False on anything but this version, a known kind, and a name as it must be written.</summary>
    public static bool TryParse(ReadOnlySpan<byte> encoded, out TunnelRequest request)
    {
        request = default;
        var reader = new CborReader(encoded);
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs < 2
            || !reader.TryReadKey(ref key) || key != 0 || !reader.TryReadUInt(out ulong version) || version != Version
            || !reader.TryReadKey(ref key) || key != 1 || !reader.TryReadUInt(out ulong number)
            || number is < (ulong)TunnelKind.Connection or > (ulong)TunnelKind.Presence)
        {
            return false;
        }

        var kind = (TunnelKind)number;
        int read = 2;
        ServiceName service = default;
        if (kind != TunnelKind.Presence
            && (++read > pairs || !reader.TryReadKey(ref key) || key != 2 || !reader.TryReadText(ServiceName.MaxLength, out string text)
                || !ServiceName.TryParse(text, out service) || service.Text != text))
        {
            return false;
        }

        ulong flow = 0;
        if (kind == TunnelKind.Flow
            && (++read > pairs || !reader.TryReadKey(ref key) || key != 3 || !reader.TryReadUInt(out flow) || flow > TunnelLimits.MaxFlowId))
        {
            return false;
        }

        for (; read < pairs; read++)
        {
            if (!reader.TryReadKey(ref key) || !reader.TrySkip())
            {
                return false;
            }
        }

        request = new TunnelRequest(kind, service, flow);
        return reader.AtEnd;
    }
}

/// <summary>What a stream is to carry.</summary>
internal enum TunnelKind
{
    /// <summary>The bytes of one TCP connection, both ways.</summary>
    Connection = 1,

    /// <summary>The datagrams of one UDP flow: those that fit travel as session datagrams, the rest on the stream.</summary>
    Flow = 2,

    /// <summary>Nothing: it is answered with <see cref="TunnelOutcome.Open"/> and ends, and so shows that the peer is still there.</summary>
    Presence = 3,
}
