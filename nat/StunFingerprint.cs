namespace Carrier.Nat;

/// <summary>FINGERPRINT (RFC 8489 §14.7): the CRC-32 of ITU-T V.42 over the message up to the attribute, XOR 0x5354554e.</summary>
internal static class StunFingerprint
{
    public const int AttributeBytes = 8;

    private const uint Mask = 0x5354_554E;
    private const uint ReversedPolynomial = 0xEDB8_8320;

    private static readonly uint[] Table = MakeTable();

    /// <param name="message">Everything before the attribute; its header's length must already count the attribute.</param>
    public static uint Of(ReadOnlySpan<byte> message)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in message)
        {
            crc = Table[(byte)crc ^ b] ^ (crc >> 8);
        }

        return ~crc ^ Mask;
    }

    private static uint[] MakeTable()
    {
        uint[] table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint crc = i;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ ReversedPolynomial : crc >> 1;
            }

            table[i] = crc;
        }

        return table;
    }
}
