using System.Text;
using Carrier.Core;
using Carrier.Core.Identity;

namespace Carrier.Nat.Mdns;

/// <summary>A Carrier device heard on a link: its veiled identity and where it is.</summary>
internal sealed class Neighbour
{
    private readonly byte[] _label = new byte[VeiledIdentity.LabelBytes];
    private readonly List<Endpoint> _endpoints = [];
    private byte[] _sealed = [];
    private TimeSpan _ttl = LinkService.ServiceTtl;
    private ushort _port;
    private bool _hasLabel;

    private Neighbour(int link, Instant heardAt) => (Link, HeardAt) = (link, heardAt);

    public int Link { get; }

    public Instant HeardAt { get; }

    public ReadOnlySpan<byte> Label => _label;

    public ReadOnlySpan<byte> Sealed => _sealed;

    /// <summary>Addresses on the link, with the device's port.</summary>
    public IEnumerable<Endpoint> Endpoints => _endpoints.Select(endpoint => endpoint.WithPort(_port));

    /// <summary>When the shortest-lived of its records ends.</summary>
    public Instant EndsAt => HeardAt + _ttl;

    /// <summary>Whether it just said that it is leaving.</summary>
    public bool HasLeft => _ttl == TimeSpan.Zero;

    /// <summary>Whether half the lifetime is left: it need not tell us again.</summary>
    public bool IsFresh(Instant now) => now < HeardAt + (_ttl / 2);

    /// <summary>The uncompressed name of its service.</summary>
    public byte[] Instance => [VeiledIdentity.LabelBytes * 2, .. Encoding.ASCII.GetBytes(Convert.ToHexStringLower(_label)), .. LinkService.Name];

    /// <summary>Reads the one device that an answer is about, whatever the order of its records; false when they do not make up a device.</summary>
    /// <remarks>A device announces all its records in one message, so nothing is pieced together from several. Addresses off the link are not taken:
    /// nobody on it is to make us send to others.</remarks>
    public static bool TryRead(Instant now, MdnsLink link, ref DnsReader reader, in DnsHeader header, out Neighbour neighbour)
    {
        neighbour = new Neighbour(link.Index, now);
        for (int i = 0; i < header.Questions; i++)
        {
            if (!reader.TryReadQuestion(out _))
            {
                return false;
            }
        }

        int records = header.Answers + header.Authorities + header.Additionals;
        for (int i = 0; i < records; i++)
        {
            if (!reader.TryReadRecord(out DnsRecord record))
            {
                return false;
            }

            neighbour.Take(link, reader, record);
        }

        return neighbour._hasLabel && (neighbour.HasLeft || (neighbour._port != 0 && neighbour._sealed.Length > 0 && neighbour._endpoints.Count > 0));
    }

    private void Take(MdnsLink link, in DnsReader reader, in DnsRecord record)
    {
        switch (record.Type)
        {
            case DnsType.Srv when record.Data.Length > 6 && IsAbout(record, LinkService.Name):
                _port = (ushort)((record.Data[4] << 8) | record.Data[5]);
                break;
            case DnsType.Txt when IsAbout(record, LinkService.Name):
                _sealed = IdentityIn(record.Data).ToArray();
                break;
            case DnsType.A or DnsType.Aaaa when _endpoints.Count < MdnsLink.MaxAddresses && IsAbout(record, LinkService.Local)
                && Endpoint.TryFromBytes(record.Data, 0, out Endpoint endpoint) && link.IsOnLink(endpoint)
                && (endpoint.IsIPv4 || endpoint.Scope != AddressScope.LinkLocal):
                _endpoints.Add(endpoint);
                break;
            default:
                break;
        }
    }

    // The first label met decides whom the message is about; records of others are passed over.
    private bool IsAbout(in DnsRecord record, ReadOnlySpan<byte> parent)
    {
        Span<byte> label = stackalloc byte[VeiledIdentity.LabelBytes];
        if (!DnsName.TryFirstLabel(record.Name, parent, out ReadOnlySpan<byte> digits) || digits.Length != 2 * VeiledIdentity.LabelBytes
            || Convert.FromHexString(digits, label, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        if (!_hasLabel)
        {
            label.CopyTo(_label);
            _hasLabel = true;
        }

        bool isSame = label.SequenceEqual(_label);
        _ttl = isSame && record.Ttl < _ttl ? record.Ttl : _ttl;
        return isSame;
    }

    private static ReadOnlySpan<byte> IdentityIn(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty && text[0] < text.Length)
        {
            ReadOnlySpan<byte> entry = text.Slice(1, text[0]);
            if (entry.StartsWith(LinkService.IdentityKey))
            {
                return entry[LinkService.IdentityKey.Length..];
            }

            text = text[(1 + text[0])..];
        }

        return default;
    }
}
