using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;

namespace Carrier.Chain.Primitives;

/// <summary>What an output pays to: one prefix byte and the hash of the code that spends it. Twenty-one bytes as a value; its text is the address.</summary>
/// <remarks>
/// <code>
///  0        1                           21
///  +--------+---------------------------+
///  | prefix | RIPEMD160(SHA256(code))   |     address = Base58(these, first 4 bytes of SHA256d of these)
///  +--------+---------------------------+
/// </code>
/// </remarks>
public readonly struct ProgramHash : IEquatable<ProgramHash>
{
    public const int Bytes = 21;

    private readonly HashBytes _bytes;

    private ProgramHash(ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes);

    public AddressPrefix Prefix => (AddressPrefix)_bytes[0];

    /// <summary>All twenty-one bytes, prefix first.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>The hash without its prefix.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> CodeHash => Span[1..];

    public static bool operator ==(ProgramHash left, ProgramHash right) => left.Equals(right);

    public static bool operator !=(ProgramHash left, ProgramHash right) => !left.Equals(right);

    /// <summary>The program hash of a code under a prefix.</summary>
    public static ProgramHash FromCode(AddressPrefix prefix, ReadOnlySpan<byte> code)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bytes[0] = (byte)prefix;
        Hash160.HashData(code, bytes[1..]);
        return new ProgramHash(bytes);
    }

    /// <summary>The ordinary account of a TrustID: the <c>E…</c> address it is paid at.</summary>
    public static ProgramHash FromTrustId(TrustId id)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bytes[0] = (byte)AddressPrefix.Standard;
        id.CopyTo(bytes[1..]);
        return new ProgramHash(bytes);
    }

    /// <summary>Takes twenty-one bytes as they come: outputs of kinds this client does not know have prefixes it does not know.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out ProgramHash hash)
    {
        hash = bytes.Length == Bytes ? new ProgramHash(bytes) : default;
        return bytes.Length == Bytes;
    }

    /// <summary>Reads an address; its checksum and its prefix must be right.</summary>
    public static bool TryParse(ReadOnlySpan<char> address, out ProgramHash hash)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bool valid = ElaAddress.TryDecode(address, out bytes[0], bytes[1..]) && Enum.IsDefined((AddressPrefix)bytes[0]);
        hash = valid ? new ProgramHash(bytes) : default;
        return valid;
    }

    /// <summary>The TrustID whose account this is, when it is an ordinary one.</summary>
    public bool TryGetTrustId(out TrustId id)
    {
        id = Prefix == AddressPrefix.Standard ? new TrustId(CodeHash) : default;
        return Prefix == AddressPrefix.Standard;
    }

    public bool Equals(ProgramHash other) => Span.SequenceEqual(other.Span);

    public override bool Equals(object? obj) => obj is ProgramHash other && Equals(other);

    // The keyed string hash over the code hash: strangers choose it.
    public override int GetHashCode() => string.GetHashCode(MemoryMarshal.Cast<byte, char>(CodeHash));

    /// <summary>The address; for a prefix the chain does not know, the bytes in hex.</summary>
    public override string ToString() =>
        Enum.IsDefined(Prefix) ? ElaAddress.Encode((byte)Prefix, CodeHash) : Convert.ToHexStringLower(Span);

    [InlineArray(Bytes)]
    private struct HashBytes
    {
        private byte _first;
    }
}

/// <summary>The first byte of a program hash: what kind of account it is, and the first letter of its address.</summary>
[SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "A wire byte.")]
[SuppressMessage("Design", "CA1008:Enums should have zero value", Justification = "The chain has no account of prefix zero.")]
public enum AddressPrefix : byte
{
    /// <summary><c>X…</c>, deposits to side chains.</summary>
    SideChain = 0x4B,

    /// <summary><c>8…</c>, m of n keys.</summary>
    MultiSignature = 0x12,

    /// <summary><c>D…</c>, deposits of producers.</summary>
    Deposit = 0x1F,

    /// <summary><c>E…</c>, one key.</summary>
    Standard = 0x21,

    /// <summary><c>S…</c>, staked coins.</summary>
    Stake = 0x3F,

    /// <summary><c>i…</c>, a DID (code ending in AD) or a CID (over the standard code).</summary>
    Did = 0x67,
}
