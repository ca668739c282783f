using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Carrier.Chain.Dpos;
using Carrier.Core.Identity;

namespace Carrier.Chain.Headers;

/// <summary>Blocks the project vouches for, so that a new client need not judge every header since genesis. A signed text.</summary>
/// <remarks>
/// <code>
///  carrier-checkpoints 1
///  network main
///  checkpoint HEIGHT CORE WORK TIMES          core: 84 bytes in hex; work: 64 hex digits; times: the ten before, newest first, with commas, or -
///  arbiters FROM SEATS KEY,KEY,…              who decides from a height on; optional
///  signature HEX                              over all bytes before this line, context "checkpoints v1"
/// </code>
/// Lines end with LF; heights rise. Where no key is trusted, genesis is where to begin.
/// </remarks>
/// <param name="Network">The chain it speaks of.</param>
/// <param name="Checkpoints">Where a client may begin; one that began earlier refuses any other block of these heights.</param>
/// <param name="Arbiters">Who decides from a height on.</param>
public sealed record CheckpointFile(string Network, ImmutableArray<HeaderAnchor> Checkpoints, ArbiterSet? Arbiters)
{
    /// <summary>Longest file read.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>Most checkpoints in a file.</summary>
    public const int MaxCheckpoints = 4096;

    private const string Title = "carrier-checkpoints 1";
    private const string SignatureWord = "signature ";

    private static readonly SignatureContext Context = new("checkpoints v1");

    /// <summary>Reads a file and verifies the signature of <paramref name="signer"/>.</summary>
    public static bool TryParse(ReadOnlySpan<byte> file, in OwnerPublicKey signer, [NotNullWhen(true)] out CheckpointFile? checkpoints)
    {
        checkpoints = null;
        int at = SignatureAt(file);
        if (at < 0 || file[^1] != '\n')
        {
            return false;
        }

        Span<byte> signature = stackalloc byte[OwnerPublicKey.SignatureBytes];
        ReadOnlySpan<byte> hex = file[(at + SignatureWord.Length)..^1];
        return hex.Length == 2 * signature.Length
            && Convert.FromHexString(hex, signature, out _, out _) == System.Buffers.OperationStatus.Done
            && signer.Verify(Context, file[..at], signature)
            && TryReadLines(Encoding.ASCII.GetString(file[..at]), out checkpoints);
    }

    /// <summary>Reads a file that is about to be signed: whatever signature it has, or none, is not looked at.</summary>
    public static bool TryParseUnsigned(ReadOnlySpan<byte> file, [NotNullWhen(true)] out CheckpointFile? checkpoints)
    {
        checkpoints = null;
        int at = SignatureAt(file);
        return file.Length <= MaxBytes && TryReadLines(Encoding.ASCII.GetString(at < 0 ? file : file[..at]), out checkpoints);
    }

    /// <summary>Reads one line <c>arbiters FROM SEATS KEY,KEY,…</c>.</summary>
    public static bool TryParseArbiters(string line, [NotNullWhen(true)] out ArbiterSet? arbiters)
    {
        ArgumentNullException.ThrowIfNull(line);
        arbiters = null;
        return line.Split(' ') is ["arbiters", _, _, _] words && TryReadArbiters(words, out arbiters);
    }

    /// <summary>Writes and signs a file.</summary>
    public byte[] Sign(OwnerKey signer)
    {
        ArgumentNullException.ThrowIfNull(signer);
        var text = new StringBuilder().Append(Title).Append('\n').Append("network ").Append(Network).Append('\n');
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        foreach (HeaderAnchor anchor in Checkpoints)
        {
            anchor.Header.CopyTo(core);
            string times = anchor.EarlierTimestamps.IsEmpty ? "-" : string.Join(',', anchor.EarlierTimestamps);
            _ = text.Append(CultureInfo.InvariantCulture, $"checkpoint {anchor.Header.Height} {Convert.ToHexStringLower(core)} {anchor.Work} {times}\n");
        }

        if (Arbiters is { } arbiters)
        {
            _ = text.Append(CultureInfo.InvariantCulture, $"arbiters {arbiters.From} {arbiters.Seats} {string.Join(',', arbiters.Keys)}\n");
        }

        byte[] signature = new byte[OwnerPublicKey.SignatureBytes];
        signer.Sign(Context, Encoding.ASCII.GetBytes(text.ToString()), signature);
        return Encoding.ASCII.GetBytes(text.Append(SignatureWord).Append(Convert.ToHexStringLower(signature)).Append('\n').ToString());
    }

    private static int SignatureAt(ReadOnlySpan<byte> file)
    {
        int at = file.Length <= MaxBytes ? file.LastIndexOf("signature "u8) : -1;
        return at > 0 && file[at - 1] == '\n' ? at : -1;
    }

    private static bool TryReadLines(string text, [NotNullWhen(true)] out CheckpointFile? checkpoints)
    {
        checkpoints = null;
        string[] lines = text.Split('\n');
        if (lines.Length < 3 || lines[0] != Title || !lines[1].StartsWith("network ", StringComparison.Ordinal) || lines.Length > MaxCheckpoints)
        {
            return false;
        }

        var anchors = ImmutableArray.CreateBuilder<HeaderAnchor>();
        ArbiterSet? arbiters = null;
        foreach (string line in lines[2..^1])
        {
            string[] words = line.Split(' ');
            bool read = words switch
            {
                ["checkpoint", _, _, _, _] => TryReadAnchor(words, anchors),
                ["arbiters", _, _, _] => arbiters is null && TryReadArbiters(words, out arbiters),
                _ => false,
            };
            if (!read)
            {
                return false;
            }
        }

        checkpoints = new CheckpointFile(lines[1]["network ".Length..], anchors.ToImmutable(), arbiters);
        return true;
    }

    private static bool TryReadAnchor(string[] words, ImmutableArray<HeaderAnchor>.Builder anchors)
    {
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        if (!uint.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint height)
            || words[2].Length != 2 * BlockHeader.Bytes
            || Convert.FromHexString(words[2], core, out _, out _) != System.Buffers.OperationStatus.Done
            || !BlockHeader.TryRead(core, out BlockHeader header)
            || header.Height != height
            || height % Difficulty.RetargetBlocks != 0
            || (anchors.Count > 0 && anchors[^1].Header.Height >= height)
            || !ChainWork.TryParse(words[3], out ChainWork work))
        {
            return false;
        }

        var times = ImmutableArray.CreateBuilder<uint>();
        foreach (string word in words[4] == "-" ? [] : words[4].Split(','))
        {
            if (!uint.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out uint time))
            {
                return false;
            }

            times.Add(time);
        }

        anchors.Add(new HeaderAnchor(header, work, times.ToImmutable()));
        return times.Count == Math.Min(height, HeaderChain.MedianOf - 1);
    }

    private static bool TryReadArbiters(string[] words, [NotNullWhen(true)] out ArbiterSet? arbiters)
    {
        arbiters = null;
        List<OwnerPublicKey> keys = [];
        foreach (string hex in words[3].Split(','))
        {
            byte[] bytes = new byte[OwnerPublicKey.Bytes];
            if (hex.Length != 2 * bytes.Length
                || Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done
                || !OwnerPublicKey.TryFromBytes(bytes, out OwnerPublicKey key))
            {
                return false;
            }

            keys.Add(key);
        }

        if (!uint.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint from)
            || !int.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out int seats)
            || seats < keys.Count || seats > ArbiterSet.MaxArbiters)
        {
            return false;
        }

        arbiters = new ArbiterSet(from, seats, keys);
        return true;
    }
}
