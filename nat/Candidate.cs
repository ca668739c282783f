using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>How a candidate address was learnt (RFC 8445 §5.1.1 terms). Values are on the wire: never renumber.</summary>
public enum CandidateKind
{
    /// <summary>An address of one of the device's own interfaces.</summary>
    Host = 0,

    /// <summary>What others observed.</summary>
    Reflexive = 1,

    /// <summary>Opened at the gateway by PCP, NAT-PMP or UPnP.</summary>
    Mapped = 2,

    /// <summary>A home that relays.</summary>
    Relay = 3,
}

/// <summary>An address at which a device may be reached, and how it was learnt.</summary>
/// <remarks>
/// The list's encoding, used inside device records and handshake payloads, is the plain sequence of its candidates:
/// <code>
/// candidate: head (8) ‖ address (32 or 128) ‖ port (16)
/// head:      0 0 0 0 | v6 (1) | kind (3)
/// </code>
/// in order of preference, at most <see cref="MaxListed"/>. A receiver passes over kinds it does not know; reserved bits that are set, a
/// v4-mapped address in the long form or a cut candidate make the list malformed.
/// </remarks>
public readonly record struct Candidate(CandidateKind Kind, Endpoint Endpoint)
{
    /// <summary>Candidates in one list: enough for every interface of a laptop; what a stranger can make us probe.</summary>
    public const int MaxListed = 16;

    /// <summary>The longest list encoded.</summary>
    public const int MaxListBytes = MaxListed * (1 + 16 + 2);

    private const byte KindMask = 0x07;
    private const byte IPv6Bit = 0x08;

    /// <summary>Where in the order of trying this one stands, lower first: LAN, then IPv6, then IPv4; in each a mapped port before a punched one.</summary>
    public int Preference
    {
        get
        {
            int kind = Kind switch { CandidateKind.Host => 0, CandidateKind.Mapped => 1, CandidateKind.Reflexive => 2, _ => 16 };
            int near = Endpoint.Scope == AddressScope.Global ? 8 : 0;
            return kind + near + (Endpoint.IsIPv4 ? 4 : 0);
        }
    }

    /// <summary>Whether it makes sense to send to this candidate, given where we ourselves can be reached and from whom we heard of it.</summary>
    /// <param name="learntFrom">The scope of the sender that told us, which proves that scope to be in reach.</param>
    public bool IsWorthTrying(in LocalReach reach, AddressScope learntFrom)
    {
        AddressScope scope = Endpoint.Scope;
        return Endpoint.Port != 0 && scope switch
        {
            AddressScope.Global => reach.HasFamily(Endpoint.IsIPv4),
            AddressScope.Private => reach.Has(scope, Endpoint.IsIPv4),
            AddressScope.Loopback => reach.Has(scope, Endpoint.IsIPv4) || learntFrom == AddressScope.Loopback,
            // An IPv6 link-local address means nothing without its interface, which an endpoint does not hold.
            AddressScope.LinkLocal => Endpoint.IsIPv4 && reach.Has(scope, isIPv4: true),
            _ => false,
        };
    }

    /// <summary>Writes a list of at most <see cref="MaxListed"/> in the order given; false when it is longer or does not fit.</summary>
    public static bool TryWriteList(ReadOnlySpan<Candidate> candidates, Span<byte> destination, out int bytes)
    {
        bytes = 0;
        if (candidates.Length > MaxListed)
        {
            return false;
        }

        foreach (Candidate candidate in candidates)
        {
            bool isIPv4 = candidate.Endpoint.IsIPv4;
            int length = LengthOf(isIPv4);
            if (destination.Length - bytes < length)
            {
                return false;
            }

            Span<byte> room = destination.Slice(bytes, length);
            room[0] = (byte)((int)candidate.Kind | (isIPv4 ? 0 : IPv6Bit));
            _ = candidate.Endpoint.WriteAddress(room[1..]);
            BinaryPrimitives.WriteUInt16BigEndian(room[^2..], candidate.Endpoint.Port);
            bytes += length;
        }

        return true;
    }

    /// <summary>Reads a list into <paramref name="candidates"/> (room for <see cref="MaxListed"/>); those of kinds yet unknown are left out.</summary>
    public static bool TryReadList(ReadOnlySpan<byte> source, Span<Candidate> candidates, out int count)
    {
        count = 0;
        for (int listed = 0; !source.IsEmpty; listed++)
        {
            bool isIPv4 = (source[0] & IPv6Bit) == 0;
            int length = LengthOf(isIPv4);
            if (listed == MaxListed || (source[0] & ~(KindMask | IPv6Bit)) != 0 || source.Length < length
                || !Endpoint.TryFromBytes(source[1..(length - 2)], BinaryPrimitives.ReadUInt16BigEndian(source[(length - 2)..]), out Endpoint endpoint)
                || endpoint.IsIPv4 != isIPv4)
            {
                return false;
            }

            var kind = (CandidateKind)(source[0] & KindMask);
            if (kind <= CandidateKind.Relay)
            {
                candidates[count++] = new(kind, endpoint);
            }

            source = source[length..];
        }

        return true;
    }

    private static int LengthOf(bool isIPv4) => isIPv4 ? 1 + 4 + 2 : 1 + 16 + 2;
}
