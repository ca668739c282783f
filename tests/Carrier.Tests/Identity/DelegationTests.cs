using System.Text.Json;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using CsCheck;

namespace Carrier.Tests.Identity;

public sealed class DelegationTests
{
    private static readonly UnixTime From = new(1_800_000_000);
    private static readonly UnixTime Until = new(1_900_000_000);
    private static readonly UnixTime Inside = new(1_850_000_000);

    [Fact]
    public void Issue_gives_the_golden_bytes_and_they_read_back()
    {
        JsonElement golden = IdentityVectors.Identity.GetProperty("delegation");
        Delegation issued = Issue();
        Assert.Equal(golden.Text("encoded"), Convert.ToHexStringLower(issued.Encoded.Span));

        Assert.True(Delegation.TryParse(golden.Hex("encoded"), out Delegation? parsed));
        Assert.Equal(golden.Text("trust_id"), parsed.TrustId.ToString());
        Assert.Equal(golden.Text("signing_key"), parsed.SigningKey.ToString());
        Assert.Equal(golden.Text("exchange_key"), parsed.ExchangeKey.ToString());
        Assert.Equal(golden.GetProperty("serial").GetUInt64(), parsed.Serial);
        Assert.Equal(golden.GetProperty("not_before").GetInt64(), parsed.NotBefore.Seconds);
        Assert.Equal(golden.GetProperty("not_after").GetInt64(), parsed.NotAfter.Seconds);
        Assert.Equal(golden.GetProperty("uses").GetUInt64(), (ulong)parsed.Uses);
        Assert.Equal(DelegationVerdict.Valid, parsed.Verify(Inside, 0));
    }

    [Fact]
    public void Verify_judges_time_at_its_edges_and_the_serial_floor()
    {
        Delegation delegation = Issue();
        Assert.Equal(DelegationVerdict.NotYetValid, delegation.Verify(new(From.Seconds - 1), 0));
        Assert.Equal(DelegationVerdict.Valid, delegation.Verify(From, 0));
        Assert.Equal(DelegationVerdict.Valid, delegation.Verify(Until, 0));
        Assert.Equal(DelegationVerdict.Expired, delegation.Verify(new(Until.Seconds + 1), 0));
        Assert.Equal(DelegationVerdict.Valid, delegation.Verify(Inside, delegation.Serial));
        Assert.Equal(DelegationVerdict.Revoked, delegation.Verify(Inside, delegation.Serial + 1));
        Assert.Equal(DelegationVerdict.Valid, delegation.Verify(new(Inside.Seconds), 0)); // a verdict is not remembered, only the signature
    }

    [Fact]
    public void Permits_asks_for_every_use()
    {
        Delegation delegation = Issue(DelegationUses.Session | DelegationUses.Records | (DelegationUses)(1UL << 63));
        Assert.True(delegation.Permits(DelegationUses.Session));
        Assert.True(delegation.Permits(DelegationUses.Session | DelegationUses.Records));
        Assert.False(delegation.Permits(DelegationUses.All));
        Assert.Equal(1UL << 63, (ulong)delegation.Uses & (1UL << 63));
    }

    [Fact]
    public void Issue_never_passes_the_bound()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        using var device = DeviceKeys.Generate(new HashedRandom(7));
        var longest = Delegation.Issue(
            owner, device, ulong.MaxValue, OwnerStatement.MaxTime, OwnerStatement.MaxTime, (DelegationUses)ulong.MaxValue);
        Assert.InRange(longest.Encoded.Length, 1, Delegation.MaxBytes);
        Assert.Equal(DelegationVerdict.Valid, longest.Verify(OwnerStatement.MaxTime, ulong.MaxValue));
    }

    [Fact]
    public void Issue_a_period_that_ends_before_it_begins_is_refused()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        using var device = DeviceKeys.Generate(new HashedRandom(7));
        Assert.Throws<ArgumentOutOfRangeException>(() => Delegation.Issue(owner, device, 1, Until, From, DelegationUses.All));
        Assert.Throws<ArgumentOutOfRangeException>(() => Delegation.Issue(owner, device, 1, new(-1), From, DelegationUses.All));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => Delegation.Issue(owner, device, 1, From, new(OwnerStatement.MaxTime.Seconds + 1), DelegationUses.All));
    }

    [Fact]
    public void TryParse_every_truncation_and_every_bit_flip_is_refused_or_unsigned()
    {
        byte[] golden = Issue().Encoded.ToArray();
        for (int length = 0; length < golden.Length; length++)
        {
            Assert.False(Delegation.TryParse(golden.AsSpan(0, length), out _));
        }

        Assert.False(Delegation.TryParse([.. golden, 0], out _));
        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            golden[bit / 8] ^= (byte)(1 << (bit % 8));
            if (Delegation.TryParse(golden, out Delegation? flipped))
            {
                Assert.Equal(golden, flipped.Encoded.ToArray());
                Assert.Equal(DelegationVerdict.BadSignature, flipped.Verify(Inside, 0));
            }

            golden[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void TryParse_random_bytes_never_throw() =>
        Gen.Byte.Array[0, 240].Sample(bytes => !Delegation.TryParse(bytes, out _) & !Revocation.TryParse(bytes, out _));

    [Fact]
    public void Verify_the_high_form_of_the_signature_is_refused()
    {
        byte[] encoded = Issue().Encoded.ToArray();
        OwnerKeyTests.HighForm(encoded[^64..]).CopyTo(encoded, encoded.Length - 64);
        Assert.True(Delegation.TryParse(encoded, out Delegation? delegation));
        Assert.Equal(DelegationVerdict.BadSignature, delegation.Verify(Inside, 0));
    }

    [Fact]
    public void TryParse_keys_of_a_later_version_are_skipped_and_stay_signed()
    {
        using OwnerKey owner = IdentityVectors.Owner();
        byte[] extended = WithExtraKey(owner, extraKey: 9);
        Assert.True(Delegation.TryParse(extended, out Delegation? delegation));
        Assert.Equal(DelegationVerdict.Valid, delegation.Verify(Inside, 0));
        Assert.False(Delegation.TryParse(WithExtraKey(owner, extraKey: 7), out _)); // a key twice
    }

    [Fact]
    public void TryParse_keys_under_which_nothing_can_be_signed_parse_and_fail_verification()
    {
        byte[] encoded = Issue().Encoded.ToArray();
        int owner = encoded.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x01, 0x58, 0x21]) + 3;
        Array.Fill(encoded, (byte)0xFF, owner + 1, 32);
        Assert.True(Delegation.TryParse(encoded, out Delegation? delegation));
        Assert.Equal(DelegationVerdict.BadSignature, delegation.Verify(Inside, 0));
    }

    private static Delegation Issue(DelegationUses uses = DelegationUses.All)
    {
        using OwnerKey owner = IdentityVectors.Owner();
        using var device = DeviceKeys.Generate(new HashedRandom(7));
        return Delegation.Issue(owner, device, serial: 3, From, Until, uses);
    }

    private static byte[] WithExtraKey(OwnerKey owner, ulong extraKey)
    {
        Assert.True(OwnerStatement.TryOpen(Issue().Encoded.Span, out ReadOnlySpan<byte> body, out _));
        var extra = new CborWriter(new byte[8]);
        extra.WriteUInt(extraKey);
        extra.WriteUInt(1);
        return OwnerStatement.Seal(owner, new SignatureContext("delegation v1"), [(byte)(body[0] + 1), .. body[1..], .. extra.Encoded]);
    }
}
