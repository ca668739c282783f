using System.Runtime.CompilerServices;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session;

/// <summary>What the packet being built carries, noted for loss recovery as it is written.</summary>
internal struct PacketRecord(LossDetector loss)
{
    // A field: recovery takes it over by reference.
    private SentFrames _frames;

    public bool IsAckEliciting { get; private set; }

    /// <summary>Notes a frame. What <paramref name="id"/>, <paramref name="offset"/> and <paramref name="length"/> mean, <see cref="LossRepair"/> says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(FrameType type, ulong id = 0, long offset = 0, int length = 0, bool fin = false)
    {
        IsAckEliciting |= FrameRules.IsAckEliciting(type);
        loss.Record(ref _frames, new SentFrame((byte)type, fin, length, id, offset));
    }

    /// <summary>The packet is sealed and leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Sent(Instant now, int bytes, byte path, bool marked)
    {
        SentPacketTraits traits = IsAckEliciting ? SentPacketTraits.AckEliciting | SentPacketTraits.InFlight : default;
        traits |= marked ? SentPacketTraits.Marked : default;
        loss.OnPacketSent(now, bytes, traits, path, ref _frames);
    }
}
