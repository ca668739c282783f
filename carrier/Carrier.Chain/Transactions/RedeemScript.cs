using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Carrier.Chain.Primitives;
using Carrier.Core.Identity;

namespace Carrier.Chain.Transactions;

/// <summary>The code that an output's program hash is the hash of: whose signatures spend it.</summary>
/// <remarks>
/// <code>
///  standard   21 | key 33 | AC
///  DID        21 | key 33 | AD
///  m of n     50+m | n × ( 21 | key 33 ) | 50+n | AE
/// </code>
/// A signature item of a parameter is <c>40 | r 32 | s 32</c>. This project orders the keys of a code by their X coordinate, as the nodes' own builder does;
/// another order is another address, valid on the chain, so reading keeps the order found.
/// </remarks>
public sealed class RedeemScript : IEquatable<RedeemScript>
{
    /// <summary>The opcodes 51 to 60 write the numbers 1 to 16.</summary>
    public const int MaxKeys = 16;

    /// <summary>One signature in a parameter.</summary>
    public const int SignatureItemBytes = 1 + OwnerPublicKey.SignatureBytes;

    private const byte PushKey = OwnerPublicKey.Bytes;
    private const byte PushSignature = OwnerPublicKey.SignatureBytes;
    private const byte NumberBase = 0x50;
    private const byte CheckSignature = 0xAC;
    private const byte DidTerminator = 0xAD;
    private const byte CheckMultiSignature = 0xAE;
    private const int KeyItemBytes = 1 + OwnerPublicKey.Bytes;
    private const int SingleKeyBytes = KeyItemBytes + 1;

    private readonly byte[] _code;

    private RedeemScript(byte[] code, RedeemScriptKind kind, int required, ImmutableArray<OwnerPublicKey> keys)
    {
        _code = code;
        Kind = kind;
        Required = required;
        Keys = keys;
        AddressPrefix prefix = kind switch
        {
            RedeemScriptKind.Standard => AddressPrefix.Standard,
            RedeemScriptKind.Did => AddressPrefix.Did,
            _ => AddressPrefix.MultiSignature,
        };
        ProgramHash = ProgramHash.FromCode(prefix, code);
    }

    public RedeemScriptKind Kind { get; }

    /// <summary>How many signatures are needed.</summary>
    public int Required { get; }

    /// <summary>In the order of the code.</summary>
    public ImmutableArray<OwnerPublicKey> Keys { get; }

    public ReadOnlyMemory<byte> Code => _code;

    /// <summary>What an output that this code spends pays to.</summary>
    public ProgramHash ProgramHash { get; }

    public static RedeemScript Standard(OwnerPublicKey key) => new([PushKey, .. key.Span, CheckSignature], RedeemScriptKind.Standard, 1, [key]);

    public static RedeemScript Did(OwnerPublicKey key) => new([PushKey, .. key.Span, DidTerminator], RedeemScriptKind.Did, 1, [key]);

    /// <summary><paramref name="required"/> of the keys, which are put in order of X first.</summary>
    /// <exception cref="ArgumentException">A count is out of range or a key is given twice.</exception>
    public static RedeemScript MultiSignature(int required, params IEnumerable<OwnerPublicKey> keys)
    {
        ImmutableArray<OwnerPublicKey> ordered = [.. keys.Order(XCoordinateOrder.Instance)];
        if (ordered.Length is 0 or > MaxKeys || required < 1 || required > ordered.Length || ordered.Distinct().Count() != ordered.Length)
        {
            throw new ArgumentException("A code needs 1 to 16 distinct keys, and at least one and at most all of them to sign.", nameof(required));
        }

        byte[] code = new byte[3 + (ordered.Length * KeyItemBytes)];
        code[0] = (byte)(NumberBase + required);
        for (int i = 0; i < ordered.Length; i++)
        {
            code[1 + (i * KeyItemBytes)] = PushKey;
            ordered[i].Span.CopyTo(code.AsSpan(2 + (i * KeyItemBytes)));
        }

        code[^2] = (byte)(NumberBase + ordered.Length);
        code[^1] = CheckMultiSignature;
        return new RedeemScript(code, RedeemScriptKind.MultiSignature, required, ordered);
    }

    /// <summary>Reads one of the three forms; anything else is not for this client, and money must never be sent to it.</summary>
    public static bool TryParse(ReadOnlySpan<byte> code, [NotNullWhen(true)] out RedeemScript? script)
    {
        script = null;
        if (code.Length == SingleKeyBytes && code[0] == PushKey && code[^1] is CheckSignature or DidTerminator
            && OwnerPublicKey.TryFromBytes(code[1..^1], out OwnerPublicKey key))
        {
            script = new RedeemScript(code.ToArray(), code[^1] == CheckSignature ? RedeemScriptKind.Standard : RedeemScriptKind.Did, 1, [key]);
        }
        else if (code.Length > SingleKeyBytes && code[^1] == CheckMultiSignature && TryReadKeys(code, out ImmutableArray<OwnerPublicKey> keys))
        {
            int required = code[0] - NumberBase;
            script = required >= 1 && required <= keys.Length && code[^2] == NumberBase + keys.Length
                ? new RedeemScript(code.ToArray(), RedeemScriptKind.MultiSignature, required, keys)
                : null;
        }

        return script is not null;
    }

    /// <summary>The program that spends with these signatures, 64 bytes each, in the order given.</summary>
    public TransactionProgram Program(params IReadOnlyList<byte[]> signatures)
    {
        ArgumentNullException.ThrowIfNull(signatures);
        byte[] parameter = new byte[signatures.Count * SignatureItemBytes];
        for (int i = 0; i < signatures.Count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(signatures[i].Length, OwnerPublicKey.SignatureBytes);
            parameter[i * SignatureItemBytes] = PushSignature;
            signatures[i].CopyTo(parameter, (i * SignatureItemBytes) + 1);
        }

        return new TransactionProgram(Code, parameter);
    }

    /// <summary>Judges a parameter as the nodes do: from <see cref="Required"/> to all signatures, in any order, none twice by one key.</summary>
    public bool Verify(ReadOnlySpan<byte> unsignedTransaction, ReadOnlySpan<byte> parameter)
    {
        int count = parameter.Length / SignatureItemBytes;
        if (Kind == RedeemScriptKind.Did || parameter.Length % SignatureItemBytes != 0 || count < Required || count > Keys.Length)
        {
            return false;
        }

        uint signed = 0;
        for (; !parameter.IsEmpty; parameter = parameter[SignatureItemBytes..])
        {
            int signer = parameter[0] == PushSignature ? FindSigner(unsignedTransaction, parameter[1..SignatureItemBytes]) : -1;
            if (signer < 0)
            {
                continue;
            }

            if ((signed & (1u << signer)) != 0)
            {
                return false;
            }

            signed |= 1u << signer;
        }

        return System.Numerics.BitOperations.PopCount(signed) >= Required;
    }

    public bool Equals(RedeemScript? other) => other is not null && _code.AsSpan().SequenceEqual(other._code);

    public override bool Equals(object? obj) => Equals(obj as RedeemScript);

    public override int GetHashCode() => ProgramHash.GetHashCode();

    public override string ToString() => Convert.ToHexStringLower(_code);

    private static bool TryReadKeys(ReadOnlySpan<byte> code, out ImmutableArray<OwnerPublicKey> keys)
    {
        keys = [];
        ReadOnlySpan<byte> items = code[1..^2];
        if (items.Length % KeyItemBytes != 0 || items.Length / KeyItemBytes > MaxKeys)
        {
            return false;
        }

        var read = ImmutableArray.CreateBuilder<OwnerPublicKey>();
        for (; !items.IsEmpty; items = items[KeyItemBytes..])
        {
            if (items[0] != PushKey || !OwnerPublicKey.TryFromBytes(items[1..KeyItemBytes], out OwnerPublicKey key))
            {
                return false;
            }

            read.Add(key);
        }

        keys = read.ToImmutable();
        return true;
    }

    private int FindSigner(ReadOnlySpan<byte> unsignedTransaction, ReadOnlySpan<byte> signature)
    {
        for (int i = 0; i < Keys.Length; i++)
        {
            if (Keys[i].VerifyTransaction(unsignedTransaction, signature))
            {
                return i;
            }
        }

        return -1;
    }

    private sealed class XCoordinateOrder : IComparer<OwnerPublicKey>
    {
        public static readonly XCoordinateOrder Instance = new();

        public int Compare(OwnerPublicKey x, OwnerPublicKey y) => x.Span[1..].SequenceCompareTo(y.Span[1..]);
    }
}

/// <summary>The forms of code this client reads.</summary>
public enum RedeemScriptKind
{
    Standard,
    MultiSignature,

    /// <summary>An identity's code: it holds no money.</summary>
    Did,
}
