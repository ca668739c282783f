using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Nat.Mdns;

namespace Carrier.Fuzz.Targets;

/// <summary>Fuzz targets of multicast DNS: names and messages as they come, and the whole machine on a link with hostile neighbours.</summary>
public static class MdnsTargets
{
    private const int Link = 3;

    private static readonly TrustId Owner = new([.. Enumerable.Repeat((byte)7, TrustId.Bytes)]);
    private static readonly Endpoint Neighbour = Endpoint.FromIPv4(0xC0A8_0102, MdnsMachine.Port);

    public static void Name(ReadOnlySpan<byte> data)
    {
        Span<byte> room = stackalloc byte[DnsName.MaxBytes];
        int offset = 0;
        if (!DnsName.TryRead(data, ref offset, room, out int bytes))
        {
            return;
        }

        Assert.InRange(offset, 1, data.Length);
        Assert.Equal(0, room[bytes - 1]);
        byte[] again = new byte[DnsHeader.Bytes + DnsName.MaxBytes];
        DnsWriter writer = new(again, default);
        writer.WriteName(room[..bytes]);
        Assert.True(again.AsSpan(DnsHeader.Bytes, bytes).SequenceEqual(room[..bytes]));
    }

    public static void Message(ReadOnlySpan<byte> data)
    {
        DnsReader reader = new(data, stackalloc byte[DnsName.MaxBytes]);
        Span<byte> target = stackalloc byte[DnsName.MaxBytes];
        if (!reader.TryReadHeader(out DnsHeader header))
        {
            return;
        }

        for (int i = 0; i < header.Questions; i++)
        {
            if (!reader.TryReadQuestion(out DnsQuestion question))
            {
                return;
            }

            Assert.InRange(question.Name.Length, 1, DnsName.MaxBytes);
        }

        while (reader.TryReadRecord(out DnsRecord record))
        {
            Assert.InRange(record.DataOffset + record.Data.Length, record.DataOffset, data.Length);
            Assert.True(!reader.TryReadNameIn(record, 0, target, out int bytes) || bytes is >= 1 and <= DnsName.MaxBytes);
        }
    }

    /// <summary>A script of a hostile link: each step is a kind (its first byte: from a neighbour's port 5353, from another port, a wait), a length, and a message.</summary>
    public static void Machine(ReadOnlySpan<byte> data)
    {
        Instant now = Instant.Zero;
        MdnsMachine machine = new(Owner, new byte[180], 4242, new SeededRandom(1), new DropCounters());
        machine.SetLinks(now, [new MdnsLink(Link, [new LinkAddress(Endpoint.FromIPv4(0xC0A8_0101, 0), 24)])]);
        machine.Look(now, Owner);
        byte[] buffer = new byte[MdnsMachine.MaxMessageBytes];
        for (int step = 0; step < 64 && data.Length >= 2; step++)
        {
            int length = Math.Min(data[1] * 4, data.Length - 2);
            if ((data[0] & 3) == 3)
            {
                now += TimeSpan.FromMilliseconds(data[0] * data[0]);
                machine.HandleTimeout(now);
            }
            else
            {
                machine.Handle(now, Link, (data[0] & 3) == 2 ? Neighbour.WithPort(40_000) : Neighbour, data.Slice(2, length));
            }

            data = data[(2 + length)..];
            int sent = 0;
            while (machine.TryTransmit(buffer, out MdnsTransmit transmit))
            {
                Assert.InRange(transmit.Bytes, DnsHeader.Bytes, buffer.Length);
                Assert.InRange(++sent, 1, 4);
            }

            while (machine.TryEffect(out LinkPeer peer))
            {
                Assert.Equal(Owner, peer.Peer);
            }
        }
    }
}
