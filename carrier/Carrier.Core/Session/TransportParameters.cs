using Carrier.Core.Wire;

namespace Carrier.Core.Session;

/// <summary>What each side tells the other in its handshake about how it may be sent to (RFC 9000 §18).</summary>
/// <remarks>
/// <code>{ id varint ‖ length varint ‖ value (a varint of that length) } ...</code>
/// Ids ascend strictly, unknown ids are passed over, absent ones have the defaults of a fresh instance: a peer that says nothing still works.
/// </remarks>
public sealed record TransportParameters
{
    /// <summary>The most an encoding takes; a longer one is refused unread.</summary>
    public const int MaxEncodedBytes = 256;

    /// <summary>More streams than this at once are a mistake of ours or an attack of the peer's.</summary>
    public const ulong MaxStreamsCeiling = 65_536;

    private const ulong IdleTimeoutId = 0x01;
    private const ulong MaxPacketBytesId = 0x03;
    private const ulong SessionWindowId = 0x04;
    private const ulong StreamWindowId = 0x05;
    private const ulong MaxBidirectionalId = 0x08;
    private const ulong MaxUnidirectionalId = 0x09;
    private const ulong MaxDatagramId = 0x20;

    public static TransportParameters Default { get; } = new();

    /// <summary>Silence after which the sender forgets the session; the smaller of both holds. Zero is never.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The largest session packet the sender accepts, at least 1,200.</summary>
    public int MaxPacketBytes { get; init; } = 1_500;

    /// <summary>The first MAX_DATA.</summary>
    public long SessionWindowBytes { get; init; } = 1_536 << 10;

    /// <summary>The first MAX_STREAM_DATA of every stream.</summary>
    public long StreamWindowBytes { get; init; } = 1_024 << 10;

    /// <summary>The first MAX_STREAMS for two-way streams.</summary>
    public ulong MaxBidirectionalStreams { get; init; } = 1_024;

    /// <summary>The first MAX_STREAMS for one-way streams.</summary>
    public ulong MaxUnidirectionalStreams { get; init; } = 256;

    /// <summary>The largest DATAGRAM payload the sender takes, 0 for none.</summary>
    public int MaxDatagramBytes { get; init; } = 1_400;

    /// <summary>Reads an encoding whole. False on anything out of order, out of range or cut short.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out TransportParameters parameters)
    {
        parameters = Default;
        if (source.Length > MaxEncodedBytes)
        {
            return false;
        }

        TransportParameters read = Default;
        ulong nextId = 0;
        while (!source.IsEmpty)
        {
            if (!Varint.TryRead(ref source, out ulong id) || !Varint.TryRead(ref source, out ulong length)
                || id < nextId || length > (ulong)source.Length)
            {
                return false;
            }

            ReadOnlySpan<byte> body = source[..(int)length];
            source = source[(int)length..];
            nextId = id + 1;
            if (!IsKnown(id))
            {
                continue;
            }

            if (!Varint.TryRead(ref body, out ulong value) || !body.IsEmpty || !TryApply(id, value, ref read))
            {
                return false;
            }
        }

        parameters = read;
        return true;
    }

    /// <summary>Writes all parameters, ascending; at most <see cref="MaxEncodedBytes"/>. Returns how many.</summary>
    public int Write(Span<byte> destination)
    {
        int written = 0;
        Put(destination, ref written, IdleTimeoutId, (ulong)IdleTimeout.TotalMilliseconds);
        Put(destination, ref written, MaxPacketBytesId, (ulong)MaxPacketBytes);
        Put(destination, ref written, SessionWindowId, (ulong)SessionWindowBytes);
        Put(destination, ref written, StreamWindowId, (ulong)StreamWindowBytes);
        Put(destination, ref written, MaxBidirectionalId, MaxBidirectionalStreams);
        Put(destination, ref written, MaxUnidirectionalId, MaxUnidirectionalStreams);
        Put(destination, ref written, MaxDatagramId, (ulong)MaxDatagramBytes);
        return written;
    }

    private static bool IsKnown(ulong id) => id is IdleTimeoutId or MaxPacketBytesId or SessionWindowId or StreamWindowId
        or MaxBidirectionalId or MaxUnidirectionalId or MaxDatagramId;

    private static bool TryApply(ulong id, ulong value, ref TransportParameters into)
    {
        // A day is for ever here, and keeps TimeSpan arithmetic far from overflow.
        const ulong maxIdleMilliseconds = 86_400_000;
        bool ok = id switch
        {
            IdleTimeoutId => value <= maxIdleMilliseconds,
            MaxPacketBytesId => value is >= Paths.MtuSearch.BaseBytes and <= ushort.MaxValue,
            MaxBidirectionalId or MaxUnidirectionalId => value <= MaxStreamsCeiling,
            MaxDatagramId => value <= ushort.MaxValue,
            _ => value <= Varint.MaxValue,
        };
        if (!ok)
        {
            return false;
        }

        into = id switch
        {
            IdleTimeoutId => into with { IdleTimeout = TimeSpan.FromMilliseconds((long)value) },
            MaxPacketBytesId => into with { MaxPacketBytes = (int)value },
            SessionWindowId => into with { SessionWindowBytes = (long)value },
            StreamWindowId => into with { StreamWindowBytes = (long)value },
            MaxBidirectionalId => into with { MaxBidirectionalStreams = value },
            MaxUnidirectionalId => into with { MaxUnidirectionalStreams = value },
            _ => into with { MaxDatagramBytes = (int)value },
        };
        return true;
    }

    private static void Put(Span<byte> destination, ref int written, ulong id, ulong value)
    {
        written += Varint.Write(destination[written..], id);
        written += Varint.Write(destination[written..], (ulong)Varint.Length(value));
        written += Varint.Write(destination[written..], value);
    }
}
