using Carrier.Nat.Mdns;

namespace Carrier.Tests.Nat.Mdns;

public sealed class DnsNameTests
{
    /// <summary>RFC 1035 §4.1.4: F.ISI.ARPA at 20, FOO and a pointer to it at 40, a pointer to ARPA at 64, the root at 92.</summary>
    private static readonly byte[] Example = MakeExample();

    [Theory]
    [InlineData(20, "F.ISI.ARPA", 32)]
    [InlineData(40, "FOO.F.ISI.ARPA", 46)]
    [InlineData(64, "ARPA", 66)]
    public void TryRead_follows_the_pointers_of_rfc_1035(int offset, string expected, int after)
    {
        Span<byte> room = stackalloc byte[DnsName.MaxBytes];
        Assert.True(DnsName.TryRead(Example, ref offset, room, out int bytes));
        Assert.Equal(DnsName.Of(expected), room[..bytes].ToArray());
        Assert.Equal(after, offset);
    }

    [Fact]
    public void TryRead_of_the_root_is_one_zero()
    {
        int offset = 92;
        Span<byte> room = stackalloc byte[DnsName.MaxBytes];
        Assert.True(DnsName.TryRead(Example, ref offset, room, out int bytes));
        Assert.Equal((1, 93), (bytes, offset));
    }

    [Theory]
    [InlineData("C000", "a pointer to itself")]
    [InlineData("C002C000", "two that point at each other")]
    [InlineData("0161C000", "a label and a pointer back to it")]
    [InlineData("C00400000000", "a pointer forward")]
    [InlineData("C0", "a cut pointer")]
    [InlineData("05616263", "a cut label")]
    [InlineData("0161", "no end")]
    [InlineData("406100", "a label type that was never used")]
    [InlineData("806100", "another")]
    public void TryRead_refuses(string hex, string what)
    {
        byte[] message = Convert.FromHexString(hex);
        int offset = 0;
        Assert.False(DnsName.TryRead(message, ref offset, stackalloc byte[DnsName.MaxBytes], out _), what);
    }

    [Fact]
    public void TryRead_gives_up_after_sixteen_pointers_and_after_255_bytes()
    {
        byte[] chain = [0, .. Enumerable.Range(0, DnsName.MaxPointers + 1).SelectMany(i => (byte[])[0xC0, (byte)(i == 0 ? 0 : (2 * i) - 1)])];
        Span<byte> room = stackalloc byte[DnsName.MaxBytes];
        int allowed = 1 + (2 * (DnsName.MaxPointers - 1));
        Assert.True(DnsName.TryRead(chain, ref allowed, room, out _));
        int tooMany = 1 + (2 * DnsName.MaxPointers);
        Assert.False(DnsName.TryRead(chain, ref tooMany, room, out _));

        byte[] longest = [.. Enumerable.Repeat((byte[])[1, (byte)'a'], 127).SelectMany(label => label), 0];
        int offset = 0;
        Assert.True(DnsName.TryRead(longest, ref offset, room, out int bytes));
        Assert.Equal(DnsName.MaxBytes, bytes);
        offset = 0;
        Assert.False(DnsName.TryRead([1, (byte)'a', .. longest], ref offset, room, out _));
    }

    [Fact]
    public void AreEqual_has_no_regard_for_ascii_case_but_for_length_bytes()
    {
        Assert.True(DnsName.AreEqual(DnsName.Of("_Carrier._UDP.local"), DnsName.Of("_carrier._udp.LOCAL")));
        Assert.False(DnsName.AreEqual(DnsName.Of("ab.c"), DnsName.Of("a.bc")));
    }

    [Fact]
    public void WriteName_points_to_what_was_written_before()
    {
        DnsWriter writer = new(stackalloc byte[200], new DnsHeader(0, 0, 2, 0, 0, 0));
        writer.WriteQuestion(DnsName.Of("F.ISI.ARPA"), DnsType.A);
        int first = writer.Bytes;
        writer.WriteName(DnsName.Of("FOO.F.ISI.ARPA"));
        Assert.Equal(4 + 2, writer.Bytes - first);
    }

    private static byte[] MakeExample()
    {
        byte[] message = new byte[93];
        Convert.FromHexString("01460349534904415250" + "4100").CopyTo(message, 20);
        Convert.FromHexString("03464F4FC014").CopyTo(message, 40);
        Convert.FromHexString("C01A").CopyTo(message, 64);
        return message;
    }
}
