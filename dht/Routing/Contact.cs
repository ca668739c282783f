using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Dht.Routing;

/// <summary>A serving node as others name it: transport key, choice of place, endpoint. Its <see cref="Id"/> is computed, never received.</summary>
/// <remarks>
/// On the wire a byte string of 39 (IPv4) or 51 (IPv6) bytes:
/// <code>
/// 0        1                33                    37|49     39|51
/// | choice | transport key  | address, 4 or 16    | port, 2 |
/// </code>
/// </remarks>
public readonly struct Contact : IEquatable<Contact>
{
    public const int MaxEncodedBytes = 1 + PublicKey.Bytes + 16 + 2;

    private readonly PublicKey _key;

    public Contact(in PublicKey key, byte choice, Endpoint endpoint)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(choice, NodeId.MaxChoice);
        _key = key;
        Choice = choice;
        Endpoint = endpoint;
        Id = NodeId.Compute(key, choice, endpoint);
    }

    /// <summary>The static X25519 key questions to this node are sealed to.</summary>
    [UnscopedRef]
    public ref readonly PublicKey Key => ref _key;

    public byte Choice { get; }

    public Endpoint Endpoint { get; }

    public DhtKey Id { get; }

    public static bool operator ==(Contact left, Contact right) => left.Equals(right);

    public static bool operator !=(Contact left, Contact right) => !left.Equals(right);

    /// <summary>Reads one contact; false for a choice above 7, port 0 or an address no peer can have.</summary>
    public static bool TryRead(ref CborReader reader, out Contact contact)
    {
        contact = default;
        if (!reader.TryReadBytes(out ReadOnlySpan<byte> bytes) || bytes.Length is not (39 or 51) || bytes[0] > NodeId.MaxChoice)
        {
            return false;
        }

        ReadOnlySpan<byte> address = bytes[(1 + PublicKey.Bytes)..^2];
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(bytes[^2..]);
        if (port == 0
            || !Endpoint.TryFromBytes(address, port, out Endpoint endpoint)
            || endpoint.IsIPv4 != (address.Length == 4)
            || endpoint.Scope == AddressScope.Unusable)
        {
            return false;
        }

        contact = new Contact(new PublicKey(bytes.Slice(1, PublicKey.Bytes)), bytes[0], endpoint);
        return true;
    }

    public void Write(ref CborWriter writer)
    {
        Span<byte> bytes = stackalloc byte[MaxEncodedBytes];
        bytes[0] = Choice;
        _key.Span.CopyTo(bytes[1..]);
        int length = 1 + PublicKey.Bytes;
        length += Endpoint.WriteAddress(bytes[length..]);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[length..], Endpoint.Port);
        writer.WriteBytes(bytes[..(length + 2)]);
    }

    public bool Equals(Contact other) => _key == other._key && Choice == other.Choice && Endpoint == other.Endpoint;

    public override bool Equals(object? obj) => obj is Contact other && Equals(other);

    public override int GetHashCode() => _key.GetHashCode();

    public override string ToString() => $"{Id}@{Endpoint}";
}
