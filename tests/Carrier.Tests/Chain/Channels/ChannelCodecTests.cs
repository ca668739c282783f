using System.Security.Cryptography;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;

namespace Carrier.Tests.Chain.Channels;

public class ChannelCodecTests
{
    private static readonly Hash256 Id = Hash256.Sha256("channel"u8);
    private static readonly ChannelSignature One = Filled(1);
    private static readonly ChannelSignature Two = Filled(2);

    private static readonly Dictionary<string, ChannelMessage> Messages = new()
    {
        ["open"] = new OpenMessage(Id, ChannelFixture.Terms, new byte[] { 1, 2, 3 }, new byte[] { 4, 5 }, new byte[] { 6 }),
        ["accept"] = new AcceptMessage(Id, One, Two),
        ["refuse"] = new RefuseMessage(Id, ChannelRefusal.LockHeight),
        ["voucher"] = new VoucherMessage(Id, 7, new Sela(123_456), One),
        ["ack"] = new AckMessage(Id, 7, new Sela(123_456)),
        ["close"] = new CloseMessage(Id, new Sela(123_456)),
        ["cooperative-close"] = new CooperativeCloseMessage(Id, 7, new Sela(123_456), One),
        ["co-signed"] = new CoSignedMessage(Id, new Sela(123_456), Two),
        ["resume"] = new ResumeMessage(Id, 7, new Sela(123_456), One, new Sela(100_000), new Sela(90_000)),
        ["unknown"] = new UnknownMessage(Id),
    };

    public static TheoryData<string> Names => [.. Messages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Write_message_matches_golden_bytes_and_reads_back(string name)
    {
        byte[] encoded = Encode(Messages[name]);
        string golden = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Vectors", "chain", "channel-messages.txt"))
            .Select(line => line.Split(' ')).Single(line => line[0] == name)[1];
        Assert.Equal(golden, Convert.ToHexStringLower(encoded));
        Assert.True(ChannelCodec.TryRead(encoded, out ChannelMessage? read));
        Assert.Equal(Messages[name].GetType(), read.GetType());
        Assert.Equal(encoded, Encode(read));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TryRead_truncated_flipped_or_prolonged_never_throws_and_never_reads_another_length(string name)
    {
        byte[] encoded = Encode(Messages[name]);
        for (int length = 0; length < encoded.Length; length++)
        {
            Assert.False(ChannelCodec.TryRead(encoded.AsSpan(0, length), out _));
        }

        Assert.False(ChannelCodec.TryRead([.. encoded, 0], out _));
        for (int bit = 0; bit < encoded.Length * 8; bit++)
        {
            byte[] flipped = [.. encoded];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            if (ChannelCodec.TryRead(flipped, out ChannelMessage? read))
            {
                Assert.Equal(flipped, Encode(read));
            }
        }
    }

    [Fact]
    public void TryRead_amount_above_the_supply_is_refused()
    {
        byte[] encoded = Encode(Messages["ack"]);
        encoded.AsSpan(^8).Fill(0x7F);
        Assert.False(ChannelCodec.TryRead(encoded, out _));
        encoded.AsSpan(^8).Fill(0xFF);
        Assert.False(ChannelCodec.TryRead(encoded, out _));
    }

    [Fact]
    public void Escrow_golden_round_trip_and_every_truncation_refused()
    {
        var close = ChannelFixture.Transactions.Close(new Sela(5_000));
        var escrow = new CloseEscrow(
            ChannelFixture.Funding.Id, 1_000, 970, new Sela(5_000), new Sela(4_000), ChannelFixture.Transactions.WithSignatures(close, One, Two).Encode());
        byte[] encoded = escrow.Encode();
        Assert.True(CloseEscrow.TryRead(encoded, out CloseEscrow? read));
        Assert.Equal(escrow, read);
        for (int length = 0; length < encoded.Length; length++)
        {
            Assert.False(CloseEscrow.TryRead(encoded.AsSpan(0, length), out _));
        }

        byte[] otherAmount = [.. encoded];
        otherAmount[48] ^= 1;
        Assert.False(CloseEscrow.TryRead(otherAmount, out _));
    }

    [Fact]
    public void Put_high_s_becomes_the_only_low_form_and_still_verifies()
    {
        byte[] message = [1, 2, 3];
        for (int i = 0; i < 64; i++)
        {
            ChannelSignature signature = ChannelFixture.Payer.Sign(message);
            Assert.True(signature.Span[32] < 0x80);
            Assert.True(ChannelFixture.Payer.PublicKey.VerifyTransaction(message, signature.Span));
        }

        byte[] order = Convert.FromHexString("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
        byte[] s = [.. order];
        s[^1] -= 1; // N − 1 becomes 1
        LowHalf.Put(s);
        Assert.Equal([.. new byte[31], 1], s);
    }

    private static byte[] Encode(ChannelMessage message)
    {
        byte[] bytes = new byte[ChannelLimits.MaxMessageBytes];
        return bytes[..ChannelCodec.Write(message, bytes)];
    }

    private static ChannelSignature Filled(byte value)
    {
        byte[] bytes = new byte[ChannelSignature.Bytes];
        SHA256.HashData([value], bytes);
        SHA256.HashData([value, 0], bytes.AsSpan(32));
        return new ChannelSignature(bytes);
    }
}
