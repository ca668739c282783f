using Carrier.Core;
using Carrier.Core.Identity;

namespace Carrier.Nat.Mdns;

/// <summary>The records by which this device is found on a link.</summary>
[Flags]
internal enum ServiceRecords
{
    None = 0,

    /// <summary>That there are Carrier devices at all (RFC 6763 §9).</summary>
    Enumeration = 1,
    Pointer = 2,
    Service = 4,
    Text = 8,
    Addresses = 16,

    /// <summary>What announcements hold.</summary>
    All = Pointer | Service | Text | Addresses,

    /// <summary>Held by this device alone; answered without waiting for others.</summary>
    Unique = Service | Text | Addresses,
}

/// <summary>What one device announces on one link, as DNS service discovery (RFC 6763) has it.</summary>
/// <remarks>
/// <code>
///  _carrier._udp.local               PTR   LABEL._carrier._udp.local
///  LABEL._carrier._udp.local         SRV   0 0 port LABEL.local
///  LABEL._carrier._udp.local         TXT   "txtvers=1" "id=" sealed delegation
///  LABEL.local                       A, AAAA
/// </code>
/// LABEL is the 32 hex digits of a <see cref="VeiledIdentity"/>: neither the machine's name nor the owner's. All of it fits one datagram.
/// </remarks>
internal sealed class LinkService
{
    /// <summary>The lifetime of records that hold addresses (RFC 6762 §10).</summary>
    public static readonly TimeSpan AddressTtl = TimeSpan.FromSeconds(120);

    /// <summary>The lifetime of the others.</summary>
    public static readonly TimeSpan ServiceTtl = TimeSpan.FromMinutes(75);

    /// <summary>The lifetime told to somebody who does not hear changes (RFC 6762 §6.7).</summary>
    public static readonly TimeSpan LegacyTtl = TimeSpan.FromSeconds(10);

    /// <summary>What devices of Carrier are listed under.</summary>
    public static readonly byte[] Name = DnsName.Of("_carrier._udp.local");

    /// <summary>What kinds of service are listed under.</summary>
    public static readonly byte[] EnumerationName = DnsName.Of("_services._dns-sd._udp.local");

    /// <summary>The parent of host names.</summary>
    public static readonly byte[] Local = DnsName.Of("local");

    private readonly VeiledIdentity _identity;
    private readonly ushort _port;
    private readonly byte[] _instance;
    private readonly byte[] _host;
    private readonly Endpoint[] _addresses;

    /// <param name="identity">Who the device is, for who knows.</param>
    /// <param name="port">Its UDP port.</param>
    /// <param name="link">The link; link-local IPv6 addresses are left out, since they mean nothing without an interface.</param>
    public LinkService(VeiledIdentity identity, ushort port, MdnsLink link)
    {
        (_identity, _port) = (identity, port);
        string label = Convert.ToHexStringLower(identity.Label);
        _host = DnsName.Of(label + ".local");
        _instance = [.. _host.AsSpan(0, 1 + label.Length), .. Name];
        _addresses = [.. link.Addresses.ToArray().Select(each => each.Address).Where(each => each.IsIPv4 || each.Scope != AddressScope.LinkLocal)];
    }

    public static ReadOnlySpan<byte> TextVersion => "txtvers=1"u8;

    public static ReadOnlySpan<byte> IdentityKey => "id="u8;

    /// <summary>The uncompressed name of this device's service.</summary>
    public ReadOnlySpan<byte> Instance => _instance;

    /// <summary>Whether a label is this device's own on this link.</summary>
    public bool IsNamed(ReadOnlySpan<byte> label) => label.SequenceEqual(_identity.Label);

    /// <summary>What of ours a question asks for.</summary>
    public ServiceRecords AskedBy(in DnsQuestion question)
    {
        ServiceRecords asked = ServiceRecords.None;
        if (question.Asks(DnsType.DomainPointer))
        {
            asked |= DnsName.AreEqual(question.Name, Name) ? ServiceRecords.Pointer : 0;
            asked |= DnsName.AreEqual(question.Name, EnumerationName) ? ServiceRecords.Enumeration : 0;
        }

        if (DnsName.AreEqual(question.Name, _instance))
        {
            asked |= question.Asks(DnsType.Srv) ? ServiceRecords.Service : 0;
            asked |= question.Asks(DnsType.Txt) ? ServiceRecords.Text : 0;
        }
        else if (DnsName.AreEqual(question.Name, _host) && (question.Asks(DnsType.A) || question.Asks(DnsType.Aaaa)))
        {
            asked |= ServiceRecords.Addresses;
        }

        return asked;
    }

    /// <summary>Which of our shared records the asker already has for at least half their lifetime (RFC 6762 §7.1).</summary>
    public ServiceRecords KnownBy(in DnsReader reader, in DnsRecord record)
    {
        Span<byte> target = stackalloc byte[DnsName.MaxBytes];
        if (record.Type != DnsType.DomainPointer || record.Ttl < ServiceTtl / 2 || !reader.TryReadNameIn(record, 0, target, out int bytes))
        {
            return ServiceRecords.None;
        }

        bool isPointer = DnsName.AreEqual(record.Name, Name) && DnsName.AreEqual(target[..bytes], _instance);
        bool isEnumeration = DnsName.AreEqual(record.Name, EnumerationName) && DnsName.AreEqual(target[..bytes], Name);
        return (isPointer ? ServiceRecords.Pointer : 0) | (isEnumeration ? ServiceRecords.Enumeration : 0);
    }

    /// <summary>Writes an answer to the link: what was asked first, then the rest that belongs to it. Returns its bytes.</summary>
    public int WriteAnswer(Span<byte> destination, ServiceRecords asked)
    {
        DnsWriter writer = new(destination, HeaderOf(asked, id: 0, questions: 0));
        WriteRecords(ref writer, asked, longestTtl: ServiceTtl, flush: true);
        return Finish(writer);
    }

    /// <summary>Writes what tells the link that we are gone (RFC 6762 §10.1).</summary>
    public int WriteGoodbye(Span<byte> destination)
    {
        DnsWriter writer = new(destination, HeaderOf(ServiceRecords.All, id: 0, questions: 0));
        WriteRecords(ref writer, ServiceRecords.All, longestTtl: TimeSpan.Zero, flush: true);
        return Finish(writer);
    }

    /// <summary>Writes an answer to a plain resolver, which wants its id and question back and takes no part in the cache (RFC 6762 §6.7).</summary>
    public int WriteLegacyAnswer(Span<byte> destination, ServiceRecords asked, ushort id, in DnsQuestion question)
    {
        DnsWriter writer = new(destination, HeaderOf(asked, id, questions: 1));
        writer.WriteQuestion(question.Name, question.Type);
        WriteRecords(ref writer, asked, longestTtl: LegacyTtl, flush: false);
        return Finish(writer);
    }

    private static int Finish(in DnsWriter writer) => writer.Overflowed ? 0 : writer.Bytes;

    private DnsHeader HeaderOf(ServiceRecords asked, ushort id, int questions)
    {
        ServiceRecords added = ServiceRecords.All & ~asked;
        return new DnsHeader(id, DnsHeader.AnswerFlags, questions, Count(asked), 0, Count(added));
    }

    private int Count(ServiceRecords records)
    {
        int singles = int.PopCount((int)(records & ~ServiceRecords.Addresses));
        return records.HasFlag(ServiceRecords.Addresses) ? singles + _addresses.Length : singles;
    }

    private void WriteRecords(ref DnsWriter writer, ServiceRecords asked, TimeSpan longestTtl, bool flush)
    {
        foreach (ServiceRecords group in (ReadOnlySpan<ServiceRecords>)[asked, ServiceRecords.All & ~asked])
        {
            foreach (ServiceRecords kind in (ReadOnlySpan<ServiceRecords>)[
                ServiceRecords.Enumeration, ServiceRecords.Pointer, ServiceRecords.Service, ServiceRecords.Text, ServiceRecords.Addresses])
            {
                if (group.HasFlag(kind))
                {
                    WriteRecord(ref writer, kind, longestTtl, flush);
                }
            }
        }
    }

    private void WriteRecord(ref DnsWriter writer, ServiceRecords kind, TimeSpan longestTtl, bool flush)
    {
        TimeSpan serviceTtl = Shorter(ServiceTtl, longestTtl);
        TimeSpan addressTtl = Shorter(AddressTtl, longestTtl);
        switch (kind)
        {
            case ServiceRecords.Enumeration or ServiceRecords.Pointer:
                bool isPointer = kind == ServiceRecords.Pointer;
                writer.BeginRecord(isPointer ? Name : EnumerationName, DnsType.DomainPointer, serviceTtl, flush: false); // others have the same name
                writer.WriteName(isPointer ? _instance : Name);
                writer.EndRecord();
                break;
            case ServiceRecords.Service:
                writer.BeginRecord(_instance, DnsType.Srv, addressTtl, flush);
                writer.WriteNumber(0);
                writer.WriteNumber(0);
                writer.WriteNumber(_port);
                writer.Write(_host); // in full: RFC 2782 and RFC 6762 §18.14 let not every reader follow a pointer here
                writer.EndRecord();
                break;
            case ServiceRecords.Text:
                writer.BeginRecord(_instance, DnsType.Txt, serviceTtl, flush);
                writer.WriteString(TextVersion);
                writer.WriteString([.. IdentityKey, .. _identity.Sealed]);
                writer.EndRecord();
                break;
            default:
                WriteAddresses(ref writer, addressTtl, flush);
                break;
        }
    }

    private void WriteAddresses(ref DnsWriter writer, TimeSpan ttl, bool flush)
    {
        Span<byte> address = stackalloc byte[16];
        foreach (Endpoint each in _addresses)
        {
            writer.BeginRecord(_host, each.IsIPv4 ? DnsType.A : DnsType.Aaaa, ttl, flush);
            writer.Write(address[..each.WriteAddress(address)]);
            writer.EndRecord();
        }
    }

    private static TimeSpan Shorter(TimeSpan left, TimeSpan right) => left < right ? left : right;
}
