using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Tests.Dht;

public sealed class HostilePeerTests
{
    private static readonly byte[] FindBody = EncodeTarget();

    [Theory]
    [InlineData(AskOptions.None)]
    [InlineData(AskOptions.LargeAnswer)]
    public void Lookup_from_a_spoofed_source_never_draws_more_bytes_than_it_sends(AskOptions options)
    {
        DhtNetwork network = new(21);
        network.Grow(30);
        DhtNode victimToBe = network.Nodes[4];
        DhtNode attacker = network.Add(serves: false);
        Endpoint victim = DhtNetwork.AddressOf(9_999);
        byte[] buffer = new byte[1_500];
        int sent = 0;
        for (int method = 0; method < 4; method++)
        {
            Assert.True(attacker.Rpc.TryAsk(network.Now, victimToBe.Key.Public, victimToBe.Endpoint, method, FindBody, options, out _));
            while (attacker.Rpc.TryTransmit(network.Now, buffer, out Transmit transmit))
            {
                sent += transmit.Bytes;
                network.Send(victim, victimToBe.Endpoint, buffer.AsSpan(0, transmit.Bytes));
            }
        }

        attacker.IsUp = false;
        network.Run(TimeSpan.FromSeconds(3));
        Assert.InRange(network.BytesTo.GetValueOrDefault(victim), 1, sent);
    }

    [Fact]
    public void Introductions_that_do_not_answer_do_not_enter_the_table()
    {
        DhtNetwork network = new(22);
        network.Grow(25);
        DhtNode victim = network.Nodes[0];
        int before = victim.Dht.Table.Count;
        for (int i = 0; i < 40; i++)
        {
            DhtNode liar = network.Add(serves: true);
            for (int round = 0; round < 2; round++)
            {
                _ = liar.Rpc.TryAsk(network.Now, victim.Key.Public, victim.Endpoint, 1, FindBody, AskOptions.Introduce | AskOptions.LargeAnswer, out _);
                network.Run(TimeSpan.FromMilliseconds(round == 0 ? 150 : 10));
            }

            liar.IsUp = false;
        }

        network.Run(TimeSpan.FromSeconds(6));
        Assert.True(victim.Dht.Table.Count <= before, "only those that answer our own question enter");
    }

    [Fact]
    public void Put_with_a_write_token_of_another_target_or_from_an_old_epoch_is_refused()
    {
        DhtNetwork network = new(24);
        network.Grow(3);
        DhtNode asker = network.Nodes[1];
        DhtNode server = network.Nodes[2];
        SignedRecord first = new Owners(1, 1).Sign(1, "a");
        SignedRecord second = new Owners(2, 1).Sign(1, "b");
        UInt128 token = TokenFor(network, server, asker, first.Target);
        Assert.Equal(PutOutcome.BadToken, PutRaw(network, server, asker, second, token));
        Assert.Equal(PutOutcome.Stored, PutRaw(network, server, asker, first, token));
        network.Run(TimeSpan.FromMinutes(11));
        Assert.Equal(PutOutcome.BadToken, PutRaw(network, server, asker, first, token));
    }

    [Fact]
    public void Put_with_a_write_token_from_another_address_or_by_another_asker_is_refused()
    {
        DhtNetwork network = new(25);
        network.Grow(3);
        DhtNode asker = network.Nodes[1];
        DhtNode server = network.Nodes[2];
        SignedRecord record = new Owners(1, 1).Sign(1, "a");
        UInt128 token = TokenFor(network, server, asker, record.Target);

        Assert.Equal(PutOutcome.BadToken, PutRaw(network, server, asker, record, token, from: DhtNetwork.AddressOf(4_321)));
        Assert.Equal(PutOutcome.BadToken, PutRaw(network, server, asker, record, token, from: asker.Endpoint.WithPort(1)));
        Assert.Equal(PutOutcome.BadToken, PutRaw(network, server, network.Nodes[0], record, token, from: asker.Endpoint));
        Assert.False(server.Dht.Store.Contains(record.Target));
        Assert.Equal(PutOutcome.Stored, PutRaw(network, server, asker, record, token));
    }

    private static byte[] EncodeTarget()
    {
        CborWriter writer = new(stackalloc byte[TargetQuestion.MaxBytes]);
        new TargetQuestion { Target = new DhtKey(new byte[20]) }.Write(ref writer);
        return writer.Encoded.ToArray();
    }

    private static UInt128 TokenFor(DhtNetwork network, DhtNode server, DhtNode asker, DhtKey target)
    {
        CborWriter writer = new(stackalloc byte[TargetQuestion.MaxBytes]);
        new TargetQuestion { Target = target }.Write(ref writer);
        byte[] body = Call(network, server, asker, DhtMethod.Get, writer.Encoded);
        Assert.True(TargetAnswer.TryParse(body, out TargetAnswer answer));
        return answer.WriteToken!.Value;
    }

    private static PutOutcome PutRaw(DhtNetwork network, DhtNode server, DhtNode asker, DhtRecord record, UInt128 token, Endpoint? from = null)
    {
        CborWriter writer = new(stackalloc byte[1_400]);
        new PutQuestion { WriteToken = token, Record = record.Encoded.Span }.Write(ref writer);
        return (PutOutcome)Call(network, server, asker, DhtMethod.Put, writer.Encoded, from)[2];
    }

    /// <summary>One call past the asker's own machine: the datagrams are carried by hand.</summary>
    private static byte[] Call(DhtNetwork network, DhtNode server, DhtNode asker, DhtMethod method, ReadOnlySpan<byte> body, Endpoint? from = null)
    {
        byte[] buffer = new byte[1_500];
        Assert.True(asker.Rpc.TryAsk(
            network.Now, server.Key.Public, server.Endpoint, (int)method, body, AskOptions.LargeAnswer | AskOptions.NoToken, out _));
        Assert.True(asker.Rpc.TryTransmit(network.Now, buffer, out Transmit question));
        server.Dht.Handle(network.Now, from ?? asker.Endpoint, buffer.AsSpan(0, question.Bytes));
        Assert.True(server.Rpc.TryTransmit(network.Now, buffer, out Transmit answer));
        asker.Rpc.Handle(network.Now, server.Endpoint, buffer.AsSpan(0, answer.Bytes));
        while (asker.Rpc.TryDhtEffect(out RpcEffect effect))
        {
            if (effect.Kind == RpcEffectKind.Answered)
            {
                return effect.Body.ToArray();
            }
        }

        throw new InvalidOperationException("No answer.");
    }
}
