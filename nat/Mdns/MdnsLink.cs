using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Nat.Mdns;

/// <summary>One address of ours on a link and how many of its bits name the link.</summary>
public readonly record struct LinkAddress(Endpoint Address, int PrefixBits)
{
    /// <summary>Whether an address is on the same link by this prefix.</summary>
    public bool Covers(Endpoint other)
    {
        if (other.IsIPv4 != Address.IsIPv4)
        {
            return false;
        }

        Span<byte> mine = stackalloc byte[16];
        Span<byte> theirs = stackalloc byte[16];
        int bits = Math.Min(PrefixBits, 8 * Address.WriteAddress(mine));
        _ = other.WriteAddress(theirs);
        int whole = bits / 8;
        int mask = 0xFF00 >> (bits % 8) & 0xFF;
        return mine[..whole].SequenceEqual(theirs[..whole]) && (mask == 0 || ((mine[whole] ^ theirs[whole]) & mask) == 0);
    }
}

/// <summary>An interface on which multicast DNS is spoken.</summary>
public sealed class MdnsLink
{
    /// <summary>Addresses announced and counted as the link's; more are left out.</summary>
    public const int MaxAddresses = 8;

    private readonly LinkAddress[] _addresses;

    /// <param name="index">The system's number of the interface.</param>
    /// <param name="addresses">Its unicast addresses, port zero, with their prefixes; at most <see cref="MaxAddresses"/> are used.</param>
    public MdnsLink(int index, IEnumerable<LinkAddress> addresses)
    {
        Index = index;
        _addresses = [.. addresses.Take(MaxAddresses)];
    }

    public int Index { get; }

    public ReadOnlySpan<LinkAddress> Addresses => _addresses;

    /// <summary>Whether somebody on this link could send from <paramref name="source"/>: all that multicast DNS listens to (RFC 6762 §11).</summary>
    public bool IsOnLink(Endpoint source) =>
        (source.Scope == AddressScope.LinkLocal && Speaks(source.Family)) || Array.Exists(_addresses, address => address.Covers(source));

    public bool Speaks(AddressFamily family) => Array.Exists(_addresses, address => address.Address.Family == family);

    public bool IsSameAs(MdnsLink other) => other is not null && Index == other.Index && Addresses.SequenceEqual(other.Addresses);
}
