using System.Text;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Registry;

/// <summary>The form of a human name: one DNS label of 3 to 63 letters a–z, digits and inner hyphens, not two of them in third and fourth place (those are IDNA's).</summary>
public static class RegistryName
{
    public const int MinLength = 3;

    public const int MaxLength = 63;

    public static bool IsValid(ReadOnlySpan<char> name)
    {
        foreach (char c in name)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-'))
            {
                return false;
            }
        }

        return name.Length is >= MinLength and <= MaxLength && name[0] != '-' && name[^1] != '-' && !(name.Length > 3 && name[2] == '-' && name[3] == '-');
    }

    internal static void Write(ByteWriter writer, string name)
    {
        if (!IsValid(name))
        {
            throw new ArgumentException("That is no name: 3 to 63 letters a-z, digits and inner hyphens.", nameof(name));
        }

        writer.WriteByte((byte)name.Length);
        writer.WriteSpan(Encoding.ASCII.GetBytes(name));
    }

    internal static bool TryRead(ref ByteReader reader, out string name)
    {
        name = "";
        if (!reader.TryReadByte(out byte length) || !reader.TryReadSpan(length, out ReadOnlySpan<byte> bytes) || !Ascii.IsValid(bytes))
        {
            return false;
        }

        name = Encoding.ASCII.GetString(bytes);
        return IsValid(name);
    }
}
