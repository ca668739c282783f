using System.Text;

namespace Carrier.Core.Identity;

/// <summary>What a signature is for. Every signature of Carrier covers its context, so that none can be passed off as another.</summary>
/// <remarks>
/// <code>
///  0      2
///  +------+----------+------+----+---------+
///  | FFFF | "carrier "| name | 00 | message |     what is signed
///  +------+----------+------+----+---------+
/// </code>
/// The owner's key also signs ELA transactions, bare. Those open with a version and a type byte, and no type FF exists: a signature of ours
/// never spends a coin, and a payment never delegates.
/// </remarks>
public sealed class SignatureContext
{
    /// <summary>Longest name; names are ours, this only keeps the arithmetic honest.</summary>
    public const int MaxNameLength = 64;

    private readonly byte[] _prefix;

    /// <summary>A context named by printable ASCII with its version, such as <c>delegation v1</c>.</summary>
    public SignatureContext(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, MaxNameLength);
        if (name.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            throw new ArgumentException("A context name is printable ASCII.", nameof(name));
        }

        Name = name;
        _prefix = [0xFF, 0xFF, .. Encoding.ASCII.GetBytes("carrier " + name), 0x00];
    }

    public string Name { get; }

    public override string ToString() => Name;

    /// <summary>The bytes that are signed: prefix ‖ message.</summary>
    internal byte[] Wrap(ReadOnlySpan<byte> message) => [.. _prefix, .. message];
}
