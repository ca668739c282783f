using System.Buffers.Binary;

namespace Carrier.Nat;

/// <summary>What is known of the NAT before a device: what its peers need to know to meet it.</summary>
/// <remarks>
/// <code>
/// 0               1               2               3
/// | mapping (4) | filtering (4) | allocation (8) | step (8, signed) | traits (8) |
/// |         last port (16)      |       lowest port (16)      |
/// |        highest port (16)    |
/// </code>
/// Ten bytes, ports in network order. A mapping, filtering or allocation yet unknown reads as unknown; a range whose ends are in the wrong order is malformed. The
/// last port and the range concern IPv4; they are zero where the mapping is endpoint-independent or not known, except in a <see cref="PunchCall"/>.
/// </remarks>
/// <param name="Mapping">How the external endpoint is chosen.</param>
/// <param name="Filtering">Who is let in.</param>
/// <param name="Allocation">How the port of a new mapping is picked; says something only where the mapping depends on the peer.</param>
/// <param name="Step">From one mapping's port to the next one's, where allocation is sequential.</param>
/// <param name="Traits">What else is known.</param>
/// <param name="LastPort">The newest mapping's port seen.</param>
/// <param name="LowestPort">Where ports are picked from, as learnt.</param>
/// <param name="HighestPort">Its end, included.</param>
public readonly record struct NatDescription(
    NatMapping Mapping, NatFiltering Filtering = NatFiltering.Unknown, PortAllocation Allocation = PortAllocation.Unknown, sbyte Step = 0,
    NatTraits Traits = NatTraits.None, ushort LastPort = 0, ushort LowestPort = 0, ushort HighestPort = 0)
{
    public const int Bytes = 10;

    /// <summary>A range narrower than this can be probed whole.</summary>
    public const int SmallRangePorts = 2048;

    /// <summary>The most ports of a block that two ends can meet in by probing half of it: with twice as many, 256 mappings meet once in seventeen times.</summary>
    public const int BlockPorts = 512;

    /// <summary>Whether the port toward a peer is another one than those seen by others.</summary>
    public bool DependsOnPeer => Mapping is NatMapping.AddressDependent or NatMapping.AddressAndPortDependent;

    public bool IsSequential => DependsOnPeer && Allocation == PortAllocation.Sequential && Step != 0;

    /// <summary>Whether new mappings are anywhere in a block of a few hundred ports, as carriers give a subscriber (RFC 7422).</summary>
    public bool IsBlock => DependsOnPeer && Allocation == PortAllocation.Random && RangePorts is > 0 and <= BlockPorts;

    /// <summary>Whether anybody's packet reaches the device where others saw it.</summary>
    public bool IsOpen => Filtering == NatFiltering.EndpointIndependent && !DependsOnPeer;

    /// <summary>Whether a peer we have sent to reaches the device where others saw it, from whatever port.</summary>
    public bool LetsInAddress => Filtering is NatFiltering.EndpointIndependent or NatFiltering.AddressDependent && !DependsOnPeer;

    public int RangePorts => HighestPort == 0 ? 0 : HighestPort - LowestPort + 1;

    /// <summary>Writes <see cref="Bytes"/> bytes.</summary>
    public void Write(Span<byte> destination)
    {
        destination[0] = (byte)(((int)Mapping << 4) | (int)Filtering);
        destination[1] = (byte)Allocation;
        destination[2] = (byte)Step;
        destination[3] = (byte)Traits;
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], LastPort);
        BinaryPrimitives.WriteUInt16BigEndian(destination[6..], LowestPort);
        BinaryPrimitives.WriteUInt16BigEndian(destination[8..], HighestPort);
    }

    /// <summary>Reads a description of exactly <see cref="Bytes"/> bytes.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out NatDescription description)
    {
        description = default;
        if (source.Length != Bytes)
        {
            return false;
        }

        var mapping = (NatMapping)(source[0] >> 4);
        var filtering = (NatFiltering)(source[0] & 0xF);
        var allocation = (PortAllocation)source[1];
        ushort lowest = BinaryPrimitives.ReadUInt16BigEndian(source[6..]);
        ushort highest = BinaryPrimitives.ReadUInt16BigEndian(source[8..]);
        description = new(
            mapping <= NatMapping.AddressAndPortDependent ? mapping : NatMapping.Unknown,
            filtering <= NatFiltering.AddressAndPortDependent ? filtering : NatFiltering.Unknown,
            allocation <= PortAllocation.Sequential ? allocation : PortAllocation.Unknown,
            (sbyte)source[2],
            (NatTraits)source[3],
            BinaryPrimitives.ReadUInt16BigEndian(source[4..]),
            lowest,
            highest);
        return lowest <= highest;
    }
}
