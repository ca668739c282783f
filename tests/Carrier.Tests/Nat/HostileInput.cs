namespace Carrier.Tests.Nat;

internal delegate void Parser(ReadOnlySpan<byte> data);

/// <summary>Every truncation and bit flip of golden bytes, and random bytes: nothing may escape a parser.</summary>
internal static class HostileInput
{
    public static void Feed(byte[] golden, Parser parse)
    {
        for (int length = 0; length <= golden.Length; length++)
        {
            parse(golden.AsSpan(0, length));
        }

        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] flipped = (byte[])golden.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            parse(flipped);
        }

        Random random = new(7);
        for (int i = 0; i < 2000; i++)
        {
            byte[] noise = new byte[random.Next(200)];
            random.NextBytes(noise);
            parse(noise);
        }
    }
}
