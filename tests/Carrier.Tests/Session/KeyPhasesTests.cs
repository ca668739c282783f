using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;

namespace Carrier.Tests.Session;

public sealed class KeyPhasesTests : IDisposable
{
    private const ulong Never = ulong.MaxValue;

    private static readonly TimeSpan ThreeTimeouts = TimeSpan.FromSeconds(1);

    private readonly byte[] _header = new byte[SessionPacket.HeaderBytes];
    private readonly List<KeyPhases> _made = [];
    private ulong _number;

    public void Dispose() => _made.ForEach(static keys => keys.Dispose());

    [Fact]
    public void Seal_up_to_the_limit_of_the_key_is_the_end_when_the_peer_never_lets_it_be_replaced()
    {
        (KeyPhases sender, _) = Pair(updateAfter: 10, CipherSuite.Aes256Gcm);
        byte[] packet = new byte[sender.TagBytes];
        for (ulong sealedPackets = 0; sealedPackets < 10; sealedPackets++)
        {
            sender.Seal(_number++, _header, packet, 0);
        }

        sender.UpdateIfDue(_number);
        Assert.Equal(1, sender.Updates);
        for (ulong i = 0; i < PacketCipher.Aes256GcmConfidentialityLimit; i++)
        {
            Assert.False(sender.IsExhausted);
            sender.Seal(_number++, _header, packet, 0);
            sender.UpdateIfDue(_number); // nothing was acknowledged: the key stays
        }

        Assert.Equal(1, sender.Updates);
        Assert.True(sender.IsExhausted);
    }

    [Fact]
    public void UpdateIfDue_at_both_ends_at_once_leaves_both_with_the_same_keys()
    {
        (KeyPhases left, KeyPhases right) = Pair(updateAfter: 2);
        Assert.True(Passes(left, right) && Passes(right, left) && Passes(left, right) && Passes(right, left));
        left.UpdateIfDue(_number);
        right.UpdateIfDue(_number);
        Assert.Equal((1, 1), (left.Updates, right.Updates));
        (byte[] fromLeft, bool leftPhase, ulong leftNumber) = Seal(left);
        (byte[] fromRight, bool rightPhase, ulong rightNumber) = Seal(right);
        Assert.True(Opens(right, fromLeft, leftPhase, leftNumber) && Opens(left, fromRight, rightPhase, rightNumber));
        Assert.Equal((1, 1), (left.Updates, right.Updates)); // each took the other's update for what it was
        Assert.True(Passes(left, right) && Passes(right, left));
    }

    [Fact]
    public void TryOpen_of_a_forged_flood_in_either_phase_moves_no_key()
    {
        (KeyPhases left, KeyPhases right) = Pair(updateAfter: Never);
        SeededRandom random = new(5);
        byte[] forged = new byte[100];
        for (int i = 0; i < 10_000; i++)
        {
            random.Fill(forged);
            Assert.False(Opens(right, (byte[])forged.Clone(), phase: i % 2 == 0, number: (ulong)i));
        }

        Assert.Equal(0, right.Updates);
        Assert.Equal(Instant.Never, right.PreviousExpiresAt);
        Assert.True(Passes(left, right));
    }

    [Fact]
    public void HandleTimeout_three_probe_timeouts_after_an_update_erases_the_key_before()
    {
        (KeyPhases left, KeyPhases right) = Pair(updateAfter: 1);
        (byte[] overtaken, bool oldPhase, ulong oldNumber) = Seal(left);
        byte[] again = (byte[])overtaken.Clone();
        left.UpdateIfDue(_number);
        Assert.True(Passes(left, right));
        Assert.Equal(Instant.Zero + ThreeTimeouts, right.PreviousExpiresAt);
        Assert.True(Opens(right, overtaken, oldPhase, oldNumber), "what was overtaken still opens");
        right.HandleTimeout(Instant.Zero + ThreeTimeouts);
        Assert.False(Opens(right, again, oldPhase, oldNumber), "and later no more");
    }

    private (KeyPhases Left, KeyPhases Right) Pair(ulong updateAfter, CipherSuite suite = CipherSuite.ChaCha20Poly1305)
    {
        byte[] up = [.. Enumerable.Repeat((byte)1, PacketCipher.SecretBytes)];
        byte[] down = [.. Enumerable.Repeat((byte)2, PacketCipher.SecretBytes)];
        _made.AddRange([new(suite, up, down, updateAfter), new(suite, down, up, updateAfter)]);
        return (_made[0], _made[1]);
    }

    private (byte[] Body, bool Phase, ulong Number) Seal(KeyPhases keys)
    {
        byte[] body = new byte[20 + keys.TagBytes];
        keys.Seal(_number, _header, body, 20);
        return (body, keys.SendPhase, _number++);
    }

    private bool Opens(KeyPhases keys, byte[] body, bool phase, ulong number) =>
        keys.TryOpen(Instant.Zero, number, phase, _header, body, _number, ThreeTimeouts);

    private bool Passes(KeyPhases from, KeyPhases to)
    {
        (byte[] body, bool phase, ulong number) = Seal(from);
        bool opens = Opens(to, body, phase, number);
        from.OnAcknowledged(number);
        return opens;
    }
}
