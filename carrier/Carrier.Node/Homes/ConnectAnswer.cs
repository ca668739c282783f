using Carrier.Core.Wire;

namespace Carrier.Node.Homes;

/// <summary>How a home took a connect question. Values are on the wire: never renumber.</summary>
public enum ConnectStatus
{
    /// <summary>The channel is open and the initiation on its way.</summary>
    Connected = 0,

    /// <summary>The target is not registered here.</summary>
    NotHere = 1,

    /// <summary>The dialler's network, or all diallers of this target, hold or ask too much.</summary>
    OverQuota = 2,

    /// <summary>The relay takes no more channels.</summary>
    Full = 3,
}

/// <summary>The answer to <c>connect</c>.</summary>
/// <remarks>
/// <code>
/// { 1: status (uint), 2: channel id (uint, 0 unless connected), 3: idle lifetime in seconds (uint) }
/// </code>
/// Unknown keys are skipped; a status yet unknown counts as a refusal.
/// </remarks>
/// <param name="Channel">The id to put on relay data sent to this home.</param>
/// <param name="IdleLifetime">How long the channel stays without traffic.</param>
public readonly record struct ConnectAnswer(ConnectStatus Status, ulong Channel, TimeSpan IdleLifetime)
{
    /// <summary>The longest body encoded; shorter than any question.</summary>
    public const int MaxBytes = 24;

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(3);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Status);
        writer.WriteUInt(2);
        writer.WriteUInt(Channel);
        writer.WriteUInt(3);
        writer.WriteUInt((ulong)IdleLifetime.TotalSeconds);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out ConnectAnswer answer)
    {
        answer = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        (ulong status, ulong channel, ulong idle) = (0, 0, 0);
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadUInt(out status) && status <= byte.MaxValue,
                2 => reader.TryReadUInt(out channel),
                3 => reader.TryReadUInt(out idle) && idle <= ushort.MaxValue,
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is >= 1 and <= 3 ? 1 : 0;
        }

        answer = new((ConnectStatus)status, channel, TimeSpan.FromSeconds(idle));
        return reader.AtEnd && known == 3 && (status != (ulong)ConnectStatus.Connected || channel != 0);
    }
}
