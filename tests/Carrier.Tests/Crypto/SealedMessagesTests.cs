using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

public sealed class SealedMessagesTests : IDisposable
{
    private const ulong CallId = 0x1122334455667788;

    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(7);

    private readonly DropCounters _drops = new();
    private readonly TransportKey _askerKey = TransportKey.Generate(new CountingRandom(1));
    private readonly TransportKey _serverKey = TransportKey.Generate(new CountingRandom(2));
    private readonly SealedMessages _asker;
    private readonly SealedMessages _server;
    private readonly byte[] _buffer = new byte[SealedMessages.MaxDatagramBytes];

    public SealedMessagesTests()
    {
        _asker = new(_askerKey, new CountingRandom(3), new DropCounters());
        _server = new(_serverKey, new CountingRandom(4), _drops);
    }

    public void Dispose()
    {
        _asker.Dispose();
        _server.Dispose();
        _askerKey.Dispose();
        _serverKey.Dispose();
    }

    [Fact]
    public void A_question_and_its_answer_open_to_what_was_sealed()
    {
        byte[] question = Ask("ping"u8, 1200);
        Assert.Equal(1200, question.Length);
        Assert.True(_server.TryOpenQuestion(Start, question, out PublicKey asker, out Span<byte> plaintext));
        Assert.Equal("ping"u8, plaintext);
        byte[] answer = Answer(asker, "pong"u8);
        Assert.Equal(SealedMessages.AnswerOverheadBytes + 4, answer.Length);
        Assert.True(SealedMessages.TryReadCallId(answer, out ulong callId));
        Assert.Equal(CallId, callId);
        Assert.True(_asker.TryOpenAnswer(Start, _serverKey.Public, answer, out plaintext));
        Assert.Equal("pong"u8, plaintext);
    }

    [Fact]
    public void Repeated_calls_cost_one_agreement_on_each_side()
    {
        for (int i = 0; i < 20; i++)
        {
            Assert.True(_server.TryOpenQuestion(Start, Ask("ping"u8), out PublicKey asker, out _));
            Assert.True(_asker.TryOpenAnswer(Start, _serverKey.Public, Answer(asker, "pong"u8), out _));
        }

        Assert.Equal(1, _asker.Agreements);
        Assert.Equal(1, _server.Agreements);
    }

    [Fact]
    public void TryOpenQuestion_by_another_node_is_refused()
    {
        using var otherKey = TransportKey.Generate(new CountingRandom(77));
        DropCounters drops = new();
        using SealedMessages other = new(otherKey, new CountingRandom(5), drops);
        Assert.False(other.TryOpenQuestion(Start, Ask("ping"u8), out _, out _));
        Assert.Equal(1, drops[DropReason.DecryptFailed]);
    }

    [Fact]
    public void TryOpenAnswer_sealed_before_the_asker_key_rotated_still_opens_for_a_minute()
    {
        Instant late = Start + SealedMessages.AskerKeyLifetime - TimeSpan.FromSeconds(1);
        _ = Ask("first"u8);
        byte[] question = Ask("ping"u8, now: late);
        Assert.True(_server.TryOpenQuestion(late, question, out PublicKey asker, out _));
        byte[] answer = Answer(asker, "pong"u8);
        Instant rotated = Start + SealedMessages.AskerKeyLifetime;
        byte[] next = Ask("next"u8, now: rotated);
        Assert.NotEqual(question[1..33], next[1..33]);
        byte[] again = [.. answer];
        Assert.True(_asker.TryOpenAnswer(rotated, _serverKey.Public, answer, out Span<byte> plaintext));
        Assert.Equal("pong"u8, plaintext);
        Assert.False(_asker.TryOpenAnswer(rotated + SealedMessages.PreviousAskerKeyLifetime, _serverKey.Public, again, out _));
    }

    [Fact]
    public void Every_truncation_and_bit_flip_is_refused_and_changes_nothing()
    {
        byte[] question = Ask("ping"u8);
        for (int length = 0; length < question.Length; length++)
        {
            Assert.False(_server.TryOpenQuestion(Start, question.AsSpan(0, length), out _, out _));
        }

        for (int bit = 0; bit < question.Length * 8; bit++)
        {
            byte[] bad = [.. question];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(_server.TryOpenQuestion(Start + TimeSpan.FromSeconds(bit), bad, out _, out _));
        }

        Assert.True(_server.TryOpenQuestion(Start + TimeSpan.FromHours(1), [.. question], out PublicKey asker, out _));
        byte[] answer = Answer(asker, "pong"u8);
        for (int bit = 0; bit < answer.Length * 8; bit++)
        {
            byte[] bad = [.. answer];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(_asker.TryOpenAnswer(Start, _serverKey.Public, bad, out _));
        }

        Assert.False(_asker.TryOpenAnswer(Start, _askerKey.Public, [.. answer], out _));
        Assert.True(_asker.TryOpenAnswer(Start, _serverKey.Public, answer, out _));
    }

    [Fact]
    public void A_flood_of_new_askers_is_rate_limited_and_leaves_known_askers_served()
    {
        Assert.True(_server.TryOpenQuestion(Start, Ask("ping"u8), out _, out _));
        Assert.True(_server.TryOpenQuestion(Start, Ask("ping"u8), out _, out _));
        byte[] forged = new byte[200];
        forged[0] = 0x40;
        CountingRandom random = new(1);
        for (int i = 0; i < 2000; i++)
        {
            random.Fill(forged.AsSpan(1));
            Assert.False(_server.TryOpenQuestion(Start, [.. forged], out _, out _));
        }

        Assert.InRange(_server.Agreements, 2, 1 + (SealedMessages.AgreementsPerSecond / 10) + 1);
        Assert.True(_drops[DropReason.RateLimited] > 1000);
        Assert.True(_server.TryOpenQuestion(Start, Ask("ping"u8), out _, out _));
    }

    [Fact]
    public void Low_order_keys_are_refused_on_both_sides()
    {
        Assert.All(LowOrderPoints.All, point =>
        {
            Assert.False(_asker.TrySealQuestion(Start, point, "x"u8, 0, _buffer, out _));
            byte[] question = [0x40, .. point.Span, .. new byte[100]];
            Assert.False(_server.TryOpenQuestion(Start, question, out _, out _));
        });
    }

    [Fact]
    public void TrySealAnswer_longer_than_allowed_is_refused()
    {
        byte[] question = Ask("ping"u8);
        int asked = question.Length;
        Assert.True(_server.TryOpenQuestion(Start, question, out PublicKey asker, out _));
        int most = asked - SealedMessages.AnswerOverheadBytes;
        Assert.True(_server.TrySealAnswer(asker, CallId, new byte[most], asked, _buffer, out int bytes));
        Assert.Equal(asked, bytes);
        Assert.False(_server.TrySealAnswer(asker, CallId, new byte[most + 1], asked, _buffer, out bytes));
        Assert.Equal(0, bytes);
        Assert.False(_server.TrySealAnswer(asker, CallId, new byte[1400], int.MaxValue, new byte[4000], out _));
        Assert.False(_asker.TrySealQuestion(Start, _serverKey.Public, new byte[1400], 0, new byte[4000], out _));
    }

    [Fact]
    public void Padding_is_zero_whatever_the_buffer_held()
    {
        _buffer.AsSpan().Fill(0xEE);
        byte[] question = Ask("ping"u8, 1200);
        Assert.True(_server.TryOpenQuestion(Start, question, out _, out Span<byte> plaintext)); // refuses padding that is not zero
        Assert.DoesNotContain(question[(57 + 2 + plaintext.Length)..^16], b => b != 0);
    }

    [Fact]
    public void Two_runs_of_one_folder_share_no_key_and_nonce()
    {
        using SealedMessages clone = new(_askerKey, new CountingRandom(99), new DropCounters());
        Assert.True(clone.TrySealQuestion(Start, _serverKey.Public, "ping"u8, 0, _buffer, out int bytes));
        byte[] theirs = _buffer[..bytes];
        byte[] ours = Ask("ping"u8);
        Assert.NotEqual(ours[1..33], theirs[1..33]);
        Assert.NotEqual(ours[33..57], theirs[33..57]);
    }

    [Fact]
    public void The_golden_question_and_answer_open_and_are_what_we_seal()
    {
        Dictionary<string, byte[]> vector = CryptoVectors.Read("sealed-messages.txt");
        using var receiver = TransportKey.Import(vector["receiver-private"]);
        using SealedMessages asker = new(_askerKey, new CountingRandom(0), new DropCounters());
        using SealedMessages server = new(receiver, new CountingRandom(0x80), new DropCounters());
        Assert.True(asker.TrySealQuestion(Start, receiver.Public, vector["question-payload"], 128, _buffer, out int bytes));
        CryptoVectors.AssertHex(vector["question"], _buffer.AsSpan(0, bytes));
        Assert.True(server.TryOpenQuestion(Start, vector["question"], out PublicKey askerKey, out Span<byte> plaintext));
        CryptoVectors.AssertHex(vector["question-payload"], plaintext);
        CryptoVectors.AssertHex(vector["asker-public"], askerKey.Span);
        Assert.True(server.TrySealAnswer(askerKey, CallId, vector["answer-payload"], 128, _buffer, out bytes));
        CryptoVectors.AssertHex(vector["answer"], _buffer.AsSpan(0, bytes));
    }

    private byte[] Ask(ReadOnlySpan<byte> plaintext, int padTo = 0, Instant? now = null)
    {
        Assert.True(_asker.TrySealQuestion(now ?? Start, _serverKey.Public, plaintext, padTo, _buffer, out int bytes));
        return _buffer[..bytes];
    }

    private byte[] Answer(PublicKey asker, ReadOnlySpan<byte> plaintext)
    {
        Assert.True(_server.TrySealAnswer(asker, CallId, plaintext, SealedMessages.MaxDatagramBytes, _buffer, out int bytes));
        return _buffer[..bytes];
    }
}
