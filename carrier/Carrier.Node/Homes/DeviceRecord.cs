using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Records;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <summary>How to reach a device: the value of its signed DHT record.</summary>
/// <remarks>
/// <code>
/// { 1: version (uint, 1), 2: candidates (bytes, a candidate list), 3: homes [[transport key (32 bytes), endpoint (bytes)], …],
///   4: NAT mapping (uint), 5: capabilities (uint, a bit set), 6: NAT description (10 bytes) }
/// </code>
/// Keys 1 to 5 are all there, 6 where something is known; unknown keys are skipped, another version is refused, a mapping yet unknown reads as unknown. The device's
/// keys and delegation are in the record's envelope.
/// </remarks>
public sealed record DeviceRecord
{
    public const int Version = 1;

    /// <summary>What a signed record takes for a value.</summary>
    public const int MaxBytes = SignedRecord.MaxValueBytes;

    public const int MaxHomes = 3;

    /// <summary>In order of preference, at most <see cref="Candidate.MaxListed"/>.</summary>
    public IReadOnlyList<Candidate> Candidates { get; init; } = [];

    /// <summary>At most <see cref="MaxHomes"/>, best first.</summary>
    public IReadOnlyList<HomeContact> Homes { get; init; } = [];

    public NatMapping Mapping { get; init; }

    /// <summary>What the device knows of the NAT before it.</summary>
    public NatDescription Nat { get; init; }

    /// <summary>What the device can do beyond version 1. Bits not understood are ignored.</summary>
    public ulong Capabilities { get; init; }

    /// <summary>Returns the bytes written, at most <see cref="MaxBytes"/>; zero when a list is too long or the destination too short.</summary>
    public int Encode(Span<byte> destination)
    {
        Span<byte> candidates = stackalloc byte[Candidate.MaxListBytes];
        if (Homes.Count > MaxHomes || !Candidate.TryWriteList([.. Candidates], candidates, out int candidateBytes))
        {
            return 0;
        }

        CborWriter writer = new(destination[..Math.Min(destination.Length, MaxBytes)]);
        writer.WriteMap(Nat == default ? 5 : 6);
        writer.WriteUInt(1);
        writer.WriteUInt(Version);
        writer.WriteUInt(2);
        writer.WriteBytes(candidates[..candidateBytes]);
        writer.WriteUInt(3);
        writer.WriteArray(Homes.Count);
        foreach (HomeContact home in Homes)
        {
            writer.WriteArray(2);
            writer.WriteBytes(home.Key.Span);
            writer.WriteEndpoint(home.Endpoint);
        }

        writer.WriteUInt(4);
        writer.WriteUInt((ulong)Mapping);
        writer.WriteUInt(5);
        writer.WriteUInt(Capabilities);
        if (Nat != default)
        {
            Span<byte> nat = stackalloc byte[NatDescription.Bytes];
            Nat.Write(nat);
            writer.WriteUInt(6);
            writer.WriteBytes(nat);
        }

        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> value, out DeviceRecord record)
    {
        record = new();
        CborReader reader = new(value);
        if (value.Length > MaxBytes || !reader.TryReadMap(out int pairs))
        {
            return false;
        }

        Candidate[] candidates = [];
        HomeContact[] homes = [];
        (ulong version, ulong mapping, ulong capabilities) = (0, 0, 0);
        NatDescription nat = default;
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadUInt(out version) && version == Version,
                2 => TryReadCandidates(ref reader, out candidates),
                3 => TryReadHomes(ref reader, out homes),
                4 => reader.TryReadUInt(out mapping),
                5 => reader.TryReadUInt(out capabilities),
                6 => reader.TryReadBytes(out ReadOnlySpan<byte> encoded) && NatDescription.TryRead(encoded, out nat),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is >= 1 and <= 5 ? 1 : 0;
        }

        NatMapping understood = mapping <= (ulong)NatMapping.AddressAndPortDependent ? (NatMapping)mapping : NatMapping.Unknown;
        record = new() { Candidates = candidates, Homes = homes, Mapping = understood, Capabilities = capabilities, Nat = nat };
        return reader.AtEnd && known == 5;
    }

    private static bool TryReadCandidates(ref CborReader reader, out Candidate[] candidates)
    {
        candidates = [];
        Span<Candidate> read = stackalloc Candidate[Candidate.MaxListed];
        if (!reader.TryReadBytes(out ReadOnlySpan<byte> list) || !Candidate.TryReadList(list, read, out int count))
        {
            return false;
        }

        candidates = read[..count].ToArray();
        return true;
    }

    private static bool TryReadHomes(ref CborReader reader, out HomeContact[] homes)
    {
        homes = [];
        if (!reader.TryReadArray(out int count) || count > MaxHomes)
        {
            return false;
        }

        homes = new HomeContact[count];
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadArray(out int parts) || parts != 2
                || !reader.TryReadBytes(PublicKey.Bytes, out ReadOnlySpan<byte> key)
                || !reader.TryReadEndpoint(out Endpoint endpoint))
            {
                return false;
            }

            homes[i] = new(new(key), endpoint);
        }

        return true;
    }
}
