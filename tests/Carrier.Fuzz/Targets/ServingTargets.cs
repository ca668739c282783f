using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Fuzz.Targets;

/// <summary>A node of the DHT at work: what it is asked, and what it takes back in when it starts.</summary>
public static class ServingTargets
{
    private static readonly WallClock Clock = new(Instant.Zero, new UnixTime(1_800_000_000));
    private static readonly Endpoint Remote = Endpoint.FromIPv4(0xCB00_7107, 61000);
    private static readonly Endpoint Own = Endpoint.FromIPv4(0xC633_6401, 4000);
    private static readonly DropCounters Drops = new();
    private static readonly TransportKey Key = TransportKey.Generate(new SeededRandom(21));
    private static readonly TransportKey AskerOwn = TransportKey.Generate(new SeededRandom(22));
    private static readonly SealedMessages Messages = new(Key, new SeededRandom(23), Drops);
    private static readonly SealedMessages Asker = new(AskerOwn, new SeededRandom(24), Drops);
    private static readonly AddressTokens Tokens = new(new SeededRandom(25));

    /// <summary>A question of any method, 0 to 255, and any body by an asker whose address is proven. Put bodies get a write token that holds.</summary>
    public static void Questions(ReadOnlySpan<byte> data)
    {
        CborReader body = new(data.IsEmpty ? data : data[1..]);
        if (!body.TryReadRaw(out ReadOnlySpan<byte> item) || item.Length > RpcMachine.MaxQuestionBodyBytes)
        {
            return;
        }

        DhtMachine dht = NewMachine(out RpcMachine rpc);
        dht.Serve(Instant.Zero, Key.Public, Own);
        byte[] datagram = new byte[SealedMessages.MaxDatagramBytes];
        CborWriter plaintext = new(new byte[SealedMessages.MaxDatagramBytes]);
        new QuestionMessage { CallId = 1, Method = data[0], HasToken = true, Token = AddressToken(), Body = WithWriteToken(data[0], item) }.Write(ref plaintext);
        if (!Asker.TrySealQuestion(Instant.Zero, Key.Public, plaintext.Encoded, 0, datagram, out int bytes))
        {
            return;
        }

        dht.Handle(Instant.Zero, Remote, datagram.AsSpan(0, bytes));
        while (rpc.TryEffect(out _))
        {
        }

        int answers = 0;
        while (dht.TryTransmit(Instant.Zero, datagram, out Transmit transmit))
        {
            Assert.Equal(Remote, transmit.Path.Remote);
            answers++;
        }

        Assert.InRange(answers, 0, 1);
    }

    /// <summary>What was kept over a restart: taken back in, written again, taken back in again.</summary>
    public static void Snapshot(ReadOnlySpan<byte> data)
    {
        DhtMachine first = NewMachine(out _);
        _ = first.TryRestore(Instant.Zero, data);
        byte[] snapshot = first.Snapshot();
        DhtMachine second = NewMachine(out _);
        Assert.True(second.TryRestore(Instant.Zero, snapshot));
        Assert.True(second.Snapshot().AsSpan().SequenceEqual(snapshot));
    }

    private static DhtMachine NewMachine(out RpcMachine rpc)
    {
        SeededRandom random = new(26);
        rpc = new RpcMachine(Messages, Tokens, random, Drops);
        return new DhtMachine(rpc, DhtOptions.Default, Clock, Instant.Zero);
    }

    private static UInt128 AddressToken()
    {
        Span<byte> token = stackalloc byte[AddressTokens.TokenBytes];
        Tokens.Issue(Instant.Zero, Remote, token);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(token);
    }

    private static ReadOnlySpan<byte> WithWriteToken(int method, ReadOnlySpan<byte> body)
    {
        if (method != (int)DhtMethod.Put || !PutQuestion.TryParse(body, out PutQuestion put))
        {
            return body;
        }

        DhtKey? at = put.Target ?? (Dht.Records.DhtRecord.TryParse(put.Record, out Dht.Records.DhtRecord? record) ? record.Target : null);
        if (at is { } target && Asker.TrySealQuestion(Instant.Zero, Key.Public, [], 0, new byte[SealedMessages.MaxDatagramBytes], out _))
        {
            Span<byte> targetBytes = stackalloc byte[DhtKey.Bytes];
            Span<byte> token = stackalloc byte[AddressTokens.TokenBytes];
            target.CopyTo(targetBytes);
            Tokens.IssueWrite(Instant.Zero, Remote, AskerKey(), targetBytes, token);
            put.WriteToken = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(token);
        }

        CborWriter writer = new(new byte[body.Length]);
        put.Write(ref writer);
        return writer.Encoded.ToArray();
    }

    // The ephemeral key questions of this asker show.
    private static PublicKey AskerKey()
    {
        byte[] datagram = new byte[SealedMessages.MaxDatagramBytes];
        Assert.True(Asker.TrySealQuestion(Instant.Zero, Key.Public, [], 0, datagram, out _));
        return new PublicKey(datagram.AsSpan(1, PublicKey.Bytes));
    }
}
