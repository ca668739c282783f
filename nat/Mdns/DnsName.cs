using System.Text;

namespace Carrier.Nat.Mdns;

/// <summary>Domain names as they lie in a message (RFC 1035 §3.1, §4.1.4): length-prefixed labels that end with the empty one, perhaps by way of pointers.</summary>
/// <remarks>Here a name is the bytes of its uncompressed form, at most <see cref="MaxBytes"/>, compared without regard to ASCII case (RFC 6762 §16).</remarks>
public static class DnsName
{
    /// <summary>The longest name, its last zero included.</summary>
    public const int MaxBytes = 255;

    public const int MaxLabelBytes = 63;

    /// <summary>Pointers followed in one name. Honest ones take one or two.</summary>
    public const int MaxPointers = 16;

    private const int PointerBits = 0xC0;

    /// <summary>Reads the name at <paramref name="offset"/> and moves that past it; false on anything but labels and pointers to what came before.</summary>
    /// <param name="message">The whole message.</param>
    /// <param name="offset">Where the name begins; afterwards what follows it there.</param>
    /// <param name="room">Takes the uncompressed name: <see cref="MaxBytes"/>.</param>
    /// <param name="bytes">How many.</param>
    public static bool TryRead(ReadOnlySpan<byte> message, ref int offset, Span<byte> room, out int bytes)
    {
        bytes = 0;
        int at = offset;
        for (int pointers = 0; at < message.Length;)
        {
            int length = message[at];
            if ((length & PointerBits) == PointerBits)
            {
                // Each must point before the label it stands at, so that no two of them can form a loop.
                int target = at + 1 < message.Length ? ((length & ~PointerBits) << 8) | message[at + 1] : int.MaxValue;
                if (target >= at || ++pointers > MaxPointers)
                {
                    return false;
                }

                offset = pointers == 1 ? at + 2 : offset;
                at = target;
                continue;
            }

            if (length > MaxLabelBytes || at + 1 + length > message.Length || bytes + 1 + length > Math.Min(room.Length, MaxBytes))
            {
                return false;
            }

            message.Slice(at, 1 + length).CopyTo(room[bytes..]);
            bytes += 1 + length;
            at += 1 + length;
            if (length == 0)
            {
                offset = pointers == 0 ? at : offset;
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether two uncompressed names are the same. A length byte is below every letter, so the whole compares as one ASCII text.</summary>
    public static bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        left.Length == right.Length && (left.SequenceEqual(right) || AreEqualButForCase(left, right));

    /// <summary>Whether <paramref name="name"/> is one label before <paramref name="parent"/>; that label.</summary>
    public static bool TryFirstLabel(ReadOnlySpan<byte> name, ReadOnlySpan<byte> parent, out ReadOnlySpan<byte> label)
    {
        label = default;
        if (name.IsEmpty || name.Length != 1 + name[0] + parent.Length || !AreEqual(name[^parent.Length..], parent))
        {
            return false;
        }

        label = name.Slice(1, name[0]);
        return true;
    }

    /// <summary>Makes a name of dotted text such as <c>_carrier._udp.local</c>. For names known when this is written; labels are ASCII and short.</summary>
    public static byte[] Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. text.Split('.').SelectMany(label => (byte[])[checked((byte)label.Length), .. Encoding.ASCII.GetBytes(label)]), 0];
    }

    private static bool AreEqualButForCase(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        for (int i = 0; i < left.Length; i++)
        {
            if (Lower(left[i]) != Lower(right[i]))
            {
                return false;
            }
        }

        return true;

        static int Lower(byte letter) => letter is >= (byte)'A' and <= (byte)'Z' ? letter + ('a' - 'A') : letter;
    }
}
