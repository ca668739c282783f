using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Nat.Mdns;

namespace Carrier.Tests.Nat.Mdns;

public sealed class MdnsMachineTests
{
    private static readonly byte[] Service = DnsName.Of("_carrier._udp.local");
    private readonly VirtualLink _link = new();

    [Fact]
    public void SetLinks_announces_twice_a_second_apart_and_then_is_silent()
    {
        _ = _link.Add(1);
        _link.RunFor(TimeSpan.FromHours(1));
        Assert.Equal(2, _link.Sent.Count);
        Assert.All(_link.Sent, sent => Assert.Equal(MdnsMachine.IPv4Group, sent.To));
        Assert.Equal(_link.Sent[0].Message, _link.Sent[1].Message);
        Assert.True(_link.Sent[0].Message.Length <= 512, $"{_link.Sent[0].Message.Length} bytes");
    }

    [Fact]
    public void Look_finds_who_announced_before_at_once()
    {
        MdnsMachine a = _link.Add(1);
        _ = _link.Add(2);
        _link.RunFor(TimeSpan.FromSeconds(5));
        a.Look(_link.Now, VirtualLink.Owner(2));
        _link.RunFor(TimeSpan.Zero);
        (MdnsMachine by, LinkPeer peer) = Assert.Single(_link.Found);
        Assert.Same(a, by);
        Assert.Equal(VirtualLink.DelegationOf(2), peer.Delegation.ToArray());
        Assert.Equal("192.168.1.2:40000", Assert.Single(peer.Candidates).Endpoint.ToString());
    }

    [Fact]
    public void Look_asks_when_what_was_heard_is_too_old()
    {
        MdnsMachine a = _link.Add(1);
        _ = _link.Add(2);
        _link.RunFor(TimeSpan.FromMinutes(10));
        a.Look(_link.Now, VirtualLink.Owner(2));
        Assert.Empty(_link.Found);
        _link.RunFor(TimeSpan.FromMilliseconds(120));
        Assert.Equal(VirtualLink.Owner(2), Assert.Single(_link.Found).Peer.Peer);
    }

    [Fact]
    public void Look_that_finds_nobody_asks_three_times_and_stops()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        _link.Sent.Clear();
        a.Look(_link.Now, VirtualLink.Owner(9));
        _link.RunFor(TimeSpan.FromHours(1));
        Assert.Equal(3, _link.Sent.Count);
        Assert.Equal(Instant.Never, a.NextDeadline);
    }

    [Fact]
    public void Many_dials_ask_once_a_second()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        _link.Sent.Clear();
        for (int i = 0; i < 1000; i++)
        {
            a.Look(_link.Now, new TrustId([(byte)i, (byte)(i >> 8), .. new byte[18]]));
            _link.RunFor(TimeSpan.FromMilliseconds(10));
        }

        Assert.InRange(_link.Sent.Count, 9, 12);
    }

    [Fact]
    public void Announcement_tells_a_stranger_neither_the_owner_nor_the_same_label_twice()
    {
        _ = _link.Add(1);
        MdnsMachine again = new(VirtualLink.Owner(1), VirtualLink.DelegationOf(1), 40_000, new SeededRandom(77), new DropCounters());
        again.SetLinks(_link.Now, [VirtualLink.LinkOf(1)]);
        _link.RunFor(TimeSpan.Zero);
        byte[] first = _link.Sent[0].Message;
        byte[] second = new byte[MdnsMachine.MaxMessageBytes];
        Assert.True(again.TryTransmit(second, out MdnsTransmit transmit));
        Assert.NotEqual(LabelIn(first), LabelIn(second.AsSpan(0, transmit.Bytes)));
        Assert.Equal(-1, first.AsSpan().IndexOf(VirtualLink.DelegationOf(1).AsSpan(0, 8)));
        Assert.True(OwnerRecognises(first, 1));
        Assert.False(OwnerRecognises(first, 2));
    }

    [Theory]
    [InlineData("8.8.8.8:5353")]
    [InlineData("192.168.2.7:5353")]
    [InlineData("8.8.8.8:53000")]
    [InlineData("[2001:db8::1]:5353")]
    public void Query_from_off_the_link_is_met_with_silence(string source)
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        _link.Sent.Clear();
        _link.Deliver(a, source, Query(DnsType.DomainPointer, Service));
        _link.RunFor(TimeSpan.FromSeconds(5));
        Assert.Empty(_link.Sent);
    }

    [Fact]
    public void Query_of_a_plain_resolver_is_answered_to_it_alone_with_its_id_and_question_and_a_short_lifetime()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        _link.Sent.Clear();
        _link.Deliver(a, "192.168.1.50:43210", Query(DnsType.DomainPointer, Service, id: 0x1234));
        (Endpoint _, Endpoint to, byte[] message) = Assert.Single(_link.Sent);
        Assert.Equal("192.168.1.50:43210", to.ToString());
        DnsReader reader = new(message, new byte[DnsName.MaxBytes]);
        Assert.True(reader.TryReadHeader(out DnsHeader header));
        Assert.Equal(new DnsHeader(0x1234, DnsHeader.AnswerFlags, 1, 1, 0, 3), header);
        Assert.True(reader.TryReadQuestion(out DnsQuestion question));
        Assert.Equal(Service, question.Name.ToArray());
        for (int i = 0; i < 4; i++)
        {
            Assert.True(reader.TryReadRecord(out DnsRecord record));
            Assert.Equal(TimeSpan.FromSeconds(10), record.Ttl);
        }
    }

    [Fact]
    public void Answers_to_single_hosts_are_few()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        _link.Sent.Clear();
        for (int i = 0; i < 1000; i++)
        {
            _link.Deliver(a, "192.168.1.50:43210", Query(DnsType.DomainPointer, Service));
        }

        Assert.InRange(_link.Sent.Count, 1, (int)MdnsMachine.UnicastRate.Burst);
    }

    [Fact]
    public void Answers_to_the_group_are_one_a_second()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        _link.Sent.Clear();
        for (int i = 0; i < 1000; i++)
        {
            _link.Deliver(a, "192.168.1.50:5353", Query(DnsType.DomainPointer, Service));
            _link.RunFor(TimeSpan.FromMilliseconds(10));
        }

        Assert.InRange(_link.Sent.Count, 9, 11);
        Assert.All(_link.Sent, sent => Assert.Equal(MdnsMachine.IPv4Group, sent.To));
    }

    [Fact]
    public void Known_answer_is_not_given_again_unless_it_is_half_over()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        byte[] instance = InstanceIn(_link.Sent[0].Message);
        _link.Sent.Clear();
        _link.Deliver(a, "192.168.1.50:5353", Query(DnsType.DomainPointer, Service, known: instance, ttl: TimeSpan.FromMinutes(38)));
        _link.RunFor(TimeSpan.FromSeconds(5));
        Assert.Empty(_link.Sent);
        _link.Deliver(a, "192.168.1.50:5353", Query(DnsType.DomainPointer, Service, known: instance, ttl: TimeSpan.FromMinutes(37)));
        _link.RunFor(TimeSpan.FromSeconds(5));
        _ = Assert.Single(_link.Sent);
    }

    [Fact]
    public void Known_answer_of_a_second_message_still_counts_when_the_first_was_truncated()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromMinutes(1));
        byte[] instance = InstanceIn(_link.Sent[0].Message);
        _link.Sent.Clear();
        _link.Deliver(a, "192.168.1.50:5353", Query(DnsType.DomainPointer, Service, flags: 0x0200));
        _link.RunFor(TimeSpan.FromMilliseconds(300));
        _link.Deliver(a, "192.168.1.50:5353", Query(0, [], known: instance, ttl: TimeSpan.FromMinutes(75)));
        _link.RunFor(TimeSpan.FromSeconds(5));
        Assert.Empty(_link.Sent);
    }

    [Fact]
    public void Question_that_allows_it_is_answered_to_the_asker_alone_when_the_group_heard_it_lately()
    {
        MdnsMachine a = _link.Add(1);
        _link.RunFor(TimeSpan.FromSeconds(20));
        _link.Sent.Clear();
        _link.Deliver(a, "192.168.1.50:5353", Query(DnsType.DomainPointer, Service, unicast: true));
        _link.RunFor(TimeSpan.FromMinutes(1));
        Assert.Equal("192.168.1.50:5353", Assert.Single(_link.Sent).To.ToString());
        _link.Deliver(a, "192.168.1.50:5353", Query(DnsType.DomainPointer, Service, unicast: true));
        _link.RunFor(TimeSpan.FromMinutes(1));
        Assert.Equal(MdnsMachine.IPv4Group, _link.Sent[1].To);
    }

    [Fact]
    public void Leave_says_goodbye_and_others_forget()
    {
        MdnsMachine a = _link.Add(1);
        MdnsMachine b = _link.Add(2);
        _link.RunFor(TimeSpan.FromSeconds(5));
        Assert.Equal(1, a.NeighbourCount);
        b.Leave();
        _link.RunFor(TimeSpan.Zero);
        Assert.Equal(0, a.NeighbourCount);
        a.Look(_link.Now, VirtualLink.Owner(2));
        _link.RunFor(TimeSpan.FromSeconds(10));
        Assert.Empty(_link.Found);
    }

    [Fact]
    public void Flood_of_devices_fills_a_bounded_table_and_who_is_looked_for_is_found_all_the_same()
    {
        MdnsMachine a = _link.Add(1);
        a.Look(_link.Now, VirtualLink.Owner(2));
        byte[] buffer = new byte[MdnsMachine.MaxMessageBytes];
        for (int i = 0; i < 2000; i++)
        {
            MdnsMachine stranger = new(VirtualLink.Owner(9), VirtualLink.DelegationOf(9), 40_000, new SeededRandom((ulong)i + 100), new DropCounters());
            stranger.SetLinks(_link.Now, [VirtualLink.LinkOf(66)]);
            Assert.True(stranger.TryTransmit(buffer, out MdnsTransmit transmit));
            _link.Deliver(a, "192.168.1.66:5353", buffer[..transmit.Bytes]);
            _link.RunFor(TimeSpan.FromMilliseconds(1));
        }

        Assert.InRange(a.NeighbourCount, 100, 256);
        _link.RunFor(TimeSpan.FromSeconds(1));
        _ = _link.Add(2);
        _link.RunFor(TimeSpan.FromMilliseconds(10));
        Assert.Equal(VirtualLink.Owner(2), Assert.Single(_link.Found).Peer.Peer);
    }

    [Fact]
    public void Addresses_off_the_link_are_not_taken_from_an_announcement()
    {
        MdnsMachine a = _link.Add(1);
        MdnsMachine liar = new(VirtualLink.Owner(2), VirtualLink.DelegationOf(2), 53, new SeededRandom(2), new DropCounters());
        liar.SetLinks(_link.Now, [new MdnsLink(3, [new LinkAddress(Endpoint.FromIPv4(0x0808_0808, 0), 24)])]);
        byte[] buffer = new byte[MdnsMachine.MaxMessageBytes];
        Assert.True(liar.TryTransmit(buffer, out MdnsTransmit transmit));
        a.Look(_link.Now, VirtualLink.Owner(2));
        _link.Deliver(a, "192.168.1.66:5353", buffer[..transmit.Bytes]);
        Assert.Empty(_link.Found);
        Assert.Equal(0, a.NeighbourCount);
    }

    [Fact]
    public void Answer_from_another_port_is_nobodys()
    {
        MdnsMachine a = _link.Add(1);
        MdnsMachine other = new(VirtualLink.Owner(2), VirtualLink.DelegationOf(2), 40_000, new SeededRandom(2), new DropCounters());
        other.SetLinks(_link.Now, [VirtualLink.LinkOf(2)]);
        byte[] buffer = new byte[MdnsMachine.MaxMessageBytes];
        Assert.True(other.TryTransmit(buffer, out MdnsTransmit transmit));
        _link.Deliver(a, "192.168.1.2:5354", buffer[..transmit.Bytes]);
        Assert.Equal(0, a.NeighbourCount);
        _link.Deliver(a, "192.168.1.2:5353", buffer[..transmit.Bytes]);
        Assert.Equal(1, a.NeighbourCount);
    }

    [Fact]
    public void Golden_announcement_is_recognised_by_who_knows_its_trust_id()
    {
        MdnsMachine a = _link.Add(7);
        TrustId owner = new(NatVectors.Get("mdns-trust-id"));
        a.Look(_link.Now, owner);
        _link.Deliver(a, "192.168.1.1:5353", NatVectors.Get("mdns-announcement"));
        LinkPeer peer = Assert.Single(_link.Found).Peer;
        Assert.True(Delegation.TryParse(peer.Delegation.Span, out Delegation? delegation));
        Assert.Equal(owner, delegation.TrustId);
        Assert.Equal("192.168.1.1", peer.Candidates[0].Endpoint.ToIPEndPoint().Address.ToString());
    }

    [Fact]
    public void Handle_of_hostile_bytes_throws_nothing()
    {
        MdnsMachine a = _link.Add(1);
        a.Look(_link.Now, VirtualLink.Owner(2));
        _ = _link.Add(2);
        _link.RunFor(TimeSpan.FromSeconds(5));
        foreach (byte[] golden in _link.Sent.Select(sent => sent.Message).ToArray())
        {
            HostileInput.Feed(golden, data => a.Handle(_link.Now, 3, Addresses.Of("192.168.1.2:5353"), data));
        }
    }

    private static byte[] Query(
        DnsType type, byte[] name, ushort id = 0, ushort flags = 0, bool unicast = false, byte[]? known = null, TimeSpan ttl = default)
    {
        byte[] message = new byte[MdnsMachine.MaxMessageBytes];
        bool asks = name.Length > 0;
        DnsWriter writer = new(message, new DnsHeader(id, flags, asks ? 1 : 0, known is null ? 0 : 1, 0, 0));
        if (asks)
        {
            writer.WriteQuestion(name, type);
            message[writer.Bytes - 2] |= unicast ? (byte)0x80 : (byte)0;
        }

        if (known is not null)
        {
            writer.BeginRecord(Service, DnsType.DomainPointer, ttl, flush: false);
            writer.WriteName(known);
            writer.EndRecord();
        }

        return message[..writer.Bytes];
    }

    private static byte[] InstanceIn(ReadOnlySpan<byte> message)
    {
        DnsReader reader = new(message, new byte[DnsName.MaxBytes]);
        byte[] instance = new byte[DnsName.MaxBytes];
        Assert.True(reader.TryReadHeader(out _));
        Assert.True(reader.TryReadRecord(out DnsRecord record));
        Assert.Equal(DnsType.DomainPointer, record.Type);
        Assert.True(reader.TryReadNameIn(record, 0, instance, out int bytes));
        return instance[..bytes];
    }

    private static string LabelIn(ReadOnlySpan<byte> message) => System.Text.Encoding.ASCII.GetString(InstanceIn(message).AsSpan(1, 32));

    private static bool OwnerRecognises(ReadOnlySpan<byte> message, byte number) =>
        VeiledIdentity.IsOf(VirtualLink.Owner(number), Convert.FromHexString(LabelIn(message)));
}
