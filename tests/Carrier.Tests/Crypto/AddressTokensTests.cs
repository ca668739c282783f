using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

public sealed class AddressTokensTests
{
    private static readonly Instant Start = Instant.Zero + (3 * AddressTokens.Epoch);
    private static readonly Endpoint Remote = Endpoint.FromIPv4(0x01020304, 5000);
    private static readonly PublicKey Asker = new(Enumerable.Repeat((byte)7, 32).ToArray());

    private readonly byte[] _target = new byte[20];
    private readonly byte[] _token = new byte[AddressTokens.TokenBytes];

    [Fact]
    public void TryVerify_holds_for_one_to_two_epochs_and_one_address()
    {
        using AddressTokens tokens = new(new CountingRandom(1));
        tokens.Issue(Start, Remote, _token);
        Assert.True(tokens.TryVerify(Start, Remote, _token));
        Assert.True(tokens.TryVerify(Start + AddressTokens.Epoch, Remote, _token));
        Assert.False(tokens.TryVerify(Start + (2 * AddressTokens.Epoch), Remote, _token));
        Assert.False(tokens.TryVerify(Start + (256 * AddressTokens.Epoch), Remote, _token));
        Assert.False(tokens.TryVerify(Start, Remote.WithPort(5001), _token));
        Assert.False(tokens.TryVerify(Start, Endpoint.FromIPv4(0x01020305, 5000), _token));
        Assert.False(tokens.TryVerify(Start, Remote, _token.AsSpan(0, 15)));
        Assert.False(tokens.TryVerify(Start, Remote, default));
    }

    [Fact]
    public void TryVerifyWrite_is_bound_to_address_key_and_target_and_is_no_address_token()
    {
        using AddressTokens tokens = new(new CountingRandom(1));
        tokens.IssueWrite(Start, Remote, Asker, _target, _token);
        Assert.True(tokens.TryVerifyWrite(Start, Remote, Asker, _target, _token));
        Assert.False(tokens.TryVerifyWrite(Start, Remote.WithPort(1), Asker, _target, _token));
        Assert.False(tokens.TryVerifyWrite(Start, Remote, default, _target, _token));
        Assert.False(tokens.TryVerifyWrite(Start, Remote, Asker, [1, .. _target[1..]], _token));
        Assert.False(tokens.TryVerify(Start, Remote, _token));
        Assert.False(tokens.TryVerifyWrite(Start + (2 * AddressTokens.Epoch), Remote, Asker, _target, _token));
    }

    [Fact]
    public void TryVerify_after_a_restart_is_refused()
    {
        using AddressTokens before = new(new CountingRandom(1));
        using AddressTokens after = new(new CountingRandom(2));
        before.Issue(Start, Remote, _token);
        Assert.False(after.TryVerify(Start, Remote, _token));
    }

    [Fact]
    public void Every_bit_flip_of_a_token_is_refused()
    {
        using AddressTokens tokens = new(new CountingRandom(1));
        tokens.Issue(Start, Remote, _token);
        for (int bit = 0; bit < _token.Length * 8; bit++)
        {
            byte[] bad = [.. _token];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(tokens.TryVerify(Start, Remote, bad));
        }
    }
}
