using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Nat.Mdns;

/// <summary>A datagram to be sent on one link.</summary>
/// <param name="Link">The interface's number.</param>
/// <param name="To">A multicast group of <see cref="MdnsMachine"/>, or who asked.</param>
internal readonly record struct LinkDatagram(int Link, Endpoint To, byte[] Bytes);

/// <summary>Our side of one link: announces the service when it begins, answers who asks, says goodbye (RFC 6762 §6, §8.3, §10.1).</summary>
/// <remarks>
/// The name has 64 random bits of its own, so that no probing (§8.1) is needed before it is used. Whatever is asked, what goes to the
/// group is the same message, so one time of the last such message is all the rate limit (§6) and the choice of unicast (§5.4) need.
/// </remarks>
internal sealed class LinkResponder(MdnsLink link, LinkService service, RandomSource random, Action<LinkDatagram> send)
{
    /// <summary>Between two messages to the group.</summary>
    public static readonly TimeSpan MulticastInterval = TimeSpan.FromSeconds(1);

    private const int Announcements = 2;

    private int _announcementsLeft = Announcements;
    private Instant _announceAt;
    private Instant _multicastAt;
    private bool _hasMulticast;
    private ServiceRecords _pending;
    private bool _pendingIPv4;
    private bool _pendingIPv6;
    private Endpoint _pendingFrom;
    private Instant _pendingAt = Instant.Never;

    public MdnsLink Link => link;

    public LinkService Service => service;

    public Instant NextDeadline => Instant.Min(_announceAt, _pendingAt);

    public void HandleTimeout(Instant now)
    {
        if (now >= _announceAt)
        {
            _announceAt = --_announcementsLeft > 0 ? now + MulticastInterval : Instant.Never;
            Multicast(now, ServiceRecords.All, toIPv4: true, toIPv6: true);
        }
        else if (now >= _pendingAt)
        {
            Multicast(now, _pending, _pendingIPv4, _pendingIPv6);
        }
    }

    /// <summary>Takes a query that asks for records of ours; <paramref name="known"/> are those the asker has.</summary>
    /// <param name="wantsUnicast">Every question of ours allows an answer to the asker alone.</param>
    public void Answer(Instant now, Endpoint from, ServiceRecords asked, ServiceRecords known, bool wantsUnicast, bool isTruncated)
    {
        if (_pendingFrom == from)
        {
            _pending &= ~known; // the rest of a list of known answers (§7.2)
            _pendingAt = _pending == ServiceRecords.None ? Instant.Never : _pendingAt;
        }

        asked &= ~known;
        if (asked == ServiceRecords.None)
        {
            return;
        }

        if (wantsUnicast && _hasMulticast && now - _multicastAt < LinkService.AddressTtl / 4)
        {
            byte[] answer = new byte[MdnsMachine.MaxMessageBytes];
            send(new(link.Index, from, answer[..service.WriteAnswer(answer, asked)]));
            return;
        }

        Instant at = now + Delay(asked, isTruncated);
        at = _hasMulticast ? Instant.Max(at, _multicastAt + MulticastInterval) : at;
        _pendingAt = Instant.Min(_pendingAt, at);
        _pending |= asked;
        _pendingIPv4 |= from.IsIPv4;
        _pendingIPv6 |= !from.IsIPv4;
        _pendingFrom = from;
    }

    /// <summary>Tells the link that the service is no more.</summary>
    public void Leave()
    {
        byte[] goodbye = new byte[MdnsMachine.MaxMessageBytes];
        SendToGroups(goodbye[..service.WriteGoodbye(goodbye)], toIPv4: true, toIPv6: true);
        _announceAt = _pendingAt = Instant.Never;
    }

    /// <summary>Sends to the groups of the families the link has.</summary>
    public void SendToGroups(byte[] message, bool toIPv4, bool toIPv6)
    {
        if (toIPv4 && link.Speaks(AddressFamily.InterNetwork))
        {
            send(new(link.Index, MdnsMachine.IPv4Group, message));
        }

        if (toIPv6 && link.Speaks(AddressFamily.InterNetworkV6))
        {
            send(new(link.Index, MdnsMachine.IPv6Group, message));
        }
    }

    // Others may answer for a shared record too, and all at once (§6); a truncated list of known answers is waited for (§7.2).
    private TimeSpan Delay(ServiceRecords asked, bool isTruncated) => (asked, isTruncated) switch
    {
        (_, true) => TimeSpan.FromMilliseconds(400 + random.NextInt32(100)),
        _ when (asked & ~ServiceRecords.Unique) != 0 => TimeSpan.FromMilliseconds(20 + random.NextInt32(100)),
        _ => TimeSpan.Zero,
    };

    private void Multicast(Instant now, ServiceRecords records, bool toIPv4, bool toIPv6)
    {
        byte[] answer = new byte[MdnsMachine.MaxMessageBytes];
        SendToGroups(answer[..service.WriteAnswer(answer, records)], toIPv4, toIPv6);
        _multicastAt = now;
        _hasMulticast = true;
        (_pending, _pendingIPv4, _pendingIPv6) = (ServiceRecords.None, false, false);
        (_pendingFrom, _pendingAt) = (default, Instant.Never);
    }
}
