using Carrier.Core;
using Carrier.Core.Identity;

namespace Carrier.Nat.Mdns;

/// <summary>What the machine wants sent.</summary>
/// <param name="Link">The interface to send by.</param>
/// <param name="To">A group or a host, with its port. Never farther than the link.</param>
public readonly record struct MdnsTransmit(int Link, Endpoint To, int Bytes);

/// <summary>Finds devices on the same link by TrustID, and is found there, without any server: multicast DNS (RFC 6762) with service discovery (RFC 6763). Pure.</summary>
/// <remarks>
/// What is announced is a <see cref="VeiledIdentity"/>, another one on every link. It listens to nobody off the link (a reflected query is met
/// with silence), sends to a group at most once a second and link beside announcements, and answers strangers alone at <see cref="UnicastRate"/>.
/// One message takes all records of a device, so there is no state to be filled but <see cref="Neighbours.MaxRemembered"/> devices.
/// </remarks>
public sealed class MdnsMachine
{
    public const ushort Port = 5353;

    /// <summary>The longest message: what an Ethernet frame carries over IPv6.</summary>
    public const int MaxMessageBytes = 1452;

    /// <summary>Interfaces spoken on; more are left out.</summary>
    public const int MaxLinks = 16;

    private const int MaxQueued = 64;

    /// <summary>Questions in one search: at once, after one second and after two more (RFC 6762 §5.2).</summary>
    private const int MaxQuestions = 3;

    private readonly TrustId _trustId;
    private readonly byte[] _delegation;
    private readonly ushort _port;
    private readonly RandomSource _random;
    private readonly DropCounters _drops;
    private readonly List<LinkResponder> _links = [];
    private readonly Neighbours _neighbours;
    private readonly Queue<LinkDatagram> _outgoing = new();
    private readonly Queue<LinkPeer> _found = new();
    private TokenBucket _received;
    private TokenBucket _unicast;
    private Instant _askedAt;
    private Instant _askAt = Instant.Never;
    private int _questions;
    private bool _hasAsked;

    /// <param name="trustId">Whose device this is.</param>
    /// <param name="delegation">Its delegation as encoded.</param>
    /// <param name="port">The UDP port it is dialled at.</param>
    public MdnsMachine(TrustId trustId, ReadOnlySpan<byte> delegation, ushort port, RandomSource random, DropCounters drops)
    {
        (_trustId, _delegation, _port, _random, _drops) = (trustId, delegation.ToArray(), port, random, drops);
        _neighbours = new Neighbours(Found);
    }

    public static Endpoint IPv4Group { get; } = Endpoint.FromIPv4(0xE000_00FB, Port);

    public static Endpoint IPv6Group { get; } = Endpoint.TryFromBytes([0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFB], Port, out Endpoint group) ? group : default;

    /// <summary>Messages looked at in all: a busy office has a few a second.</summary>
    public static TokenRate ReceiveRate => new(200, 1000);

    /// <summary>Answers to single hosts.</summary>
    public static TokenRate UnicastRate => new(10, 20);

    /// <summary>Devices remembered.</summary>
    public int NeighbourCount => _neighbours.Count;

    public Instant NextDeadline
    {
        get
        {
            Instant next = _askAt;
            _links.ForEach(link => next = Instant.Min(next, link.NextDeadline));
            return next;
        }
    }

    /// <summary>Tells the interfaces there are now. On a new one, or one whose addresses changed, the device is announced under a new label.</summary>
    public void SetLinks(Instant now, IReadOnlyList<MdnsLink> links)
    {
        ArgumentNullException.ThrowIfNull(links);
        foreach (LinkResponder gone in _links.Where(link => !links.Any(link.Link.IsSameAs)).ToArray())
        {
            gone.Leave(); // in vain where the link is gone
            _neighbours.Forget(gone.Link.Index);
            _ = _links.Remove(gone);
        }

        foreach (MdnsLink link in links.Where(link => !_links.Exists(known => known.Link.IsSameAs(link))).Take(MaxLinks - _links.Count).ToArray())
        {
            LinkService service = new(VeiledIdentity.Create(_trustId, _delegation, _random), _port, link);
            LinkResponder responder = new(link, service, _random, Send);
            _links.Add(responder);
            responder.HandleTimeout(now);
        }
    }

    /// <summary>Looks for devices of a TrustID on every link, for <see cref="Neighbours.Patience"/>; each is told by <see cref="TryEffect"/>.</summary>
    public void Look(Instant now, TrustId peer)
    {
        _neighbours.Want(now, peer);
        _questions = 0;
        _askAt = _hasAsked ? Instant.Max(now, _askedAt + LinkResponder.MulticastInterval) : now;
        Ask(now);
    }

    /// <param name="link">The interface it came in by.</param>
    /// <param name="source">Who sent it.</param>
    public void Handle(Instant now, int link, Endpoint source, ReadOnlySpan<byte> datagram)
    {
        LinkResponder? responder = _links.Find(known => known.Link.Index == link);
        Span<byte> name = stackalloc byte[DnsName.MaxBytes];
        DnsReader reader = new(datagram, name);
        if (responder is null || source.Port == 0 || !responder.Link.IsOnLink(source))
        {
            _drops.Count(DropReason.ScopeMismatch);
        }
        else if (!_received.TrySpend(now, ReceiveRate))
        {
            _drops.Count(DropReason.RateLimited);
        }
        else if (!reader.TryReadHeader(out DnsHeader header) || !header.IsPlain)
        {
            _drops.Count(DropReason.Malformed);
        }
        else if (header.IsResponse)
        {
            Hear(now, responder, source, ref reader, header);
        }
        else
        {
            Answer(now, responder, source, ref reader, header);
        }
    }

    public void HandleTimeout(Instant now)
    {
        Ask(now);
        _links.ForEach(link => link.HandleTimeout(now));
    }

    /// <summary>Says goodbye on every link. Send what there is, and be done.</summary>
    public void Leave()
    {
        _links.ForEach(link => link.Leave());
        _links.Clear();
        _askAt = Instant.Never;
    }

    public bool TryTransmit(Span<byte> buffer, out MdnsTransmit transmit)
    {
        transmit = default;
        if (!_outgoing.TryDequeue(out LinkDatagram datagram))
        {
            return false;
        }

        datagram.Bytes.CopyTo(buffer);
        transmit = new MdnsTransmit(datagram.Link, datagram.To, datagram.Bytes.Length);
        return true;
    }

    /// <summary>The next device found of those looked for; the same one may be told again.</summary>
    public bool TryEffect(out LinkPeer found) => _found.TryDequeue(out found);

    // Answers come from the port of multicast DNS, or are somebody's invention (RFC 6762 §6).
    private void Hear(Instant now, LinkResponder responder, Endpoint source, ref DnsReader reader, in DnsHeader header)
    {
        if (source.Port != Port)
        {
            _drops.Count(DropReason.Unsolicited);
            return;
        }

        if (Neighbour.TryRead(now, responder.Link, ref reader, header, out Neighbour neighbour) && !responder.Service.IsNamed(neighbour.Label))
        {
            _neighbours.Hear(now, neighbour); // most of what is heard is about printers
        }
    }

    private void Answer(Instant now, LinkResponder responder, Endpoint source, ref DnsReader reader, in DnsHeader header)
    {
        (ServiceRecords asked, ServiceRecords known, bool wantsUnicast) = (ServiceRecords.None, ServiceRecords.None, true);
        for (int i = 0; i < header.Questions; i++)
        {
            if (!reader.TryReadQuestion(out DnsQuestion question))
            {
                _drops.Count(DropReason.Malformed);
                return;
            }

            ServiceRecords ours = responder.Service.AskedBy(question);
            if (ours != ServiceRecords.None && source.Port != Port)
            {
                AnswerResolver(now, responder, source, ours, header.Id, question);
                return;
            }

            wantsUnicast &= ours == ServiceRecords.None || question.WantsUnicast;
            asked |= ours;
        }

        for (int i = 0; i < header.Answers; i++)
        {
            if (!reader.TryReadRecord(out DnsRecord record))
            {
                _drops.Count(DropReason.Malformed);
                return;
            }

            known |= responder.Service.KnownBy(reader, record);
        }

        wantsUnicast &= asked == ServiceRecords.None || _unicast.CanSpend(now, UnicastRate, 1);
        if (wantsUnicast && asked != ServiceRecords.None)
        {
            _unicast.Spend(now, UnicastRate, 1);
        }

        responder.Answer(now, source, asked, known, wantsUnicast, header.IsTruncated);
    }

    // A plain resolver asks from a port of its own and hears only what is sent to it.
    private void AnswerResolver(Instant now, LinkResponder responder, Endpoint source, ServiceRecords asked, ushort id, in DnsQuestion question)
    {
        if (!_unicast.TrySpend(now, UnicastRate))
        {
            _drops.Count(DropReason.RateLimited);
            return;
        }

        byte[] answer = new byte[MaxMessageBytes];
        Send(new LinkDatagram(responder.Link.Index, source, answer[..responder.Service.WriteLegacyAnswer(answer, asked, id, question)]));
    }

    private void Ask(Instant now)
    {
        if (now < _askAt)
        {
            return;
        }

        if (!_neighbours.AnyWanted(now))
        {
            _askAt = Instant.Never;
            return;
        }

        _askedAt = now;
        _hasAsked = true;
        _askAt = ++_questions < MaxQuestions ? now + (LinkResponder.MulticastInterval * _questions) : Instant.Never;
        foreach (LinkResponder link in _links)
        {
            byte[] message = new byte[MaxMessageBytes];
            link.SendToGroups(message[..WriteQuestion(now, link, message)], toIPv4: true, toIPv6: true);
        }
    }

    // Our own service is among what is known: nobody asks himself.
    private int WriteQuestion(Instant now, LinkResponder link, Span<byte> message)
    {
        Neighbour[] known = [.. _neighbours.KnownOn(now, link.Link.Index)];
        DnsWriter writer = new(message, new DnsHeader(0, 0, 1, 1 + known.Length, 0, 0));
        writer.WriteQuestion(LinkService.Name, DnsType.DomainPointer);
        WriteKnown(ref writer, link.Service.Instance, LinkService.ServiceTtl);
        foreach (Neighbour neighbour in known)
        {
            WriteKnown(ref writer, neighbour.Instance, LinkService.ServiceTtl - (now - neighbour.HeardAt));
        }

        return writer.Overflowed ? 0 : writer.Bytes;
    }

    private static void WriteKnown(ref DnsWriter writer, ReadOnlySpan<byte> instance, TimeSpan ttl)
    {
        writer.BeginRecord(LinkService.Name, DnsType.DomainPointer, ttl, flush: false);
        writer.WriteName(instance);
        writer.EndRecord();
    }

    private void Send(LinkDatagram datagram)
    {
        if (datagram.Bytes.Length > 0 && _outgoing.Count < MaxQueued)
        {
            _outgoing.Enqueue(datagram);
        }
        else
        {
            _drops.Count(DropReason.Full);
        }
    }

    private void Found(LinkPeer peer)
    {
        if (_found.Count < Neighbours.MaxWanted)
        {
            _found.Enqueue(peer);
        }
    }
}
