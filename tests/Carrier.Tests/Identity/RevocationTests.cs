using System.Text.Json;
using Carrier.Core.Identity;

namespace Carrier.Tests.Identity;

public sealed class RevocationTests
{
    [Fact]
    public void Issue_gives_the_golden_bytes_and_they_read_back()
    {
        JsonElement golden = IdentityVectors.Identity.GetProperty("revocation");
        using OwnerKey owner = IdentityVectors.Owner();
        var issued = Revocation.Issue(owner, serialFloor: 4);
        Assert.Equal(golden.Text("encoded"), Convert.ToHexStringLower(issued.Encoded.Span));

        Assert.True(Revocation.TryParse(golden.Hex("encoded"), out Revocation? parsed));
        Assert.True(parsed.Verify());
        Assert.Equal(golden.GetProperty("serial_floor").GetUInt64(), parsed.SerialFloor);
        Assert.Equal(golden.Text("trust_id"), parsed.TrustId.ToString());
    }

    [Fact]
    public void TryParse_every_truncation_and_every_bit_flip_is_refused_or_unsigned()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        byte[] golden = Revocation.Issue(owner, ulong.MaxValue).Encoded.ToArray();
        for (int length = 0; length < golden.Length; length++)
        {
            Assert.False(Revocation.TryParse(golden.AsSpan(0, length), out _));
        }

        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            golden[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Revocation.TryParse(golden, out Revocation? flipped) && flipped.Verify());
            golden[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Verify_a_delegation_is_no_revocation_even_in_its_bytes()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        Assert.True(OwnerStatement.TryOpen(Revocation.Issue(owner, 4).Encoded.Span, out ReadOnlySpan<byte> body, out _));
        byte[] underAnotherContext = OwnerStatement.Seal(owner, new SignatureContext("delegation v1"), body);
        Assert.True(Revocation.TryParse(underAnotherContext, out Revocation? revocation));
        Assert.False(revocation.Verify());
    }
}
