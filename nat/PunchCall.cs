using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>What one end of a session tells the other when it is about to open mappings toward it: where they will be.</summary>
/// <remarks>
/// <code>
/// round (8) | external IPv4 address (32) | NAT description (80)
/// </code>
/// Fifteen bytes, the content of a PUNCH_CALL frame. Longer ones are read so far: what follows is for later versions.
/// </remarks>
/// <param name="Round">Counts the caller's attempts in this session; an answer names the round it answers.</param>
/// <param name="Address">The caller's external address, its port without meaning.</param>
/// <param name="Nat">The caller's NAT as it knows it now; its last port above all. Where the mapping does not depend on the peer, that is the port of the one
/// socket the caller is to be met at.</param>
public readonly record struct PunchCall(byte Round, Endpoint Address, NatDescription Nat)
{
    public const int Bytes = 1 + 4 + NatDescription.Bytes;

    public void Write(Span<byte> destination)
    {
        destination[0] = Round;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], Address.IPv4Address);
        Nat.Write(destination[5..]);
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out PunchCall call)
    {
        call = default;
        if (source.Length < Bytes || !NatDescription.TryRead(source.Slice(5, NatDescription.Bytes), out NatDescription nat))
        {
            return false;
        }

        var address = Endpoint.FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(source[1..]), 0);
        call = new(source[0], address, nat);
        return address.Scope == AddressScope.Global;
    }
}
