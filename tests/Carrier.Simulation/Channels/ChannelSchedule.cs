using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;

namespace Carrier.Simulation.Channels;

/// <summary>Who of the two means harm. The miner sides with that one; with nobody hostile it only reorganises.</summary>
public enum HostileSide
{
    Nobody,
    Payer,
    Payee,
}

/// <summary>Which refund the channel has: the shipped one, or the textbook's plain lock-time refund that spends the deposit alone.</summary>
public enum RefundForm
{
    Gated,
    Naive,
}

/// <summary>One schedule: what goes wrong, all of it drawn from a seed.</summary>
/// <remarks>
/// Within what the channel is specified for. A payee that is always on is away for at most eight blocks at a time; reorganisations take at most five blocks
/// (nodes refuse six); and of the last blocks before L the payee and honest miners together have more than half, which <see cref="DangerBudget"/> counts.
/// A payee facing a hostile payer keeps its closes with a watchtower if it may lose its database, and asks the tower first when it comes back.
/// </remarks>
public sealed class ChannelSchedule
{
    /// <summary>The margin zone before L, and the blocks just after it.</summary>
    public const uint DangerZone = ChannelLimits.AlwaysOnMargin + 6;

    /// <summary>Blocks of the danger zone that are lost to the payee's absence or to the hostile miner, together.</summary>
    public const int DangerBudget = 12;

    public const int MaxAbsence = 8;

    public const int MaxReorganisation = 5;

    public ChannelSchedule(ulong seed, RefundForm form = RefundForm.Gated)
    {
        Seed = seed;
        Form = form;
        Random = new SeededRandom(seed);
        Hostile = (HostileSide)Random.NextInt32(3);
        Lifetime = (uint)(80 + Random.NextInt32(60));
        MessageLoss = Random.NextInt32(3) == 0 ? 0 : Random.NextFraction() * 0.3;
        CrashChance = Random.NextInt32(3) == 0 ? 0 : Random.NextFraction() * 0.03;
        ReorganisationChance = Random.NextInt32(2) == 0 ? 0 : Random.NextFraction() * 0.05;
        PoolLossChance = Random.NextInt32(3) == 0 ? 0.05 : 0;
        SlowDisk = Random.NextInt32(2) == 0;
        LosesDatabase = Random.NextInt32(2) == 0;
        RestoresOldDatabase = Random.NextInt32(2) == 0;
        LosingSide = Hostile switch
        {
            HostileSide.Payer => ChannelRole.Payee,
            HostileSide.Payee => ChannelRole.Payer,
            _ => (ChannelRole)Random.NextInt32(2),
        };
        HasWatchtower = Random.NextInt32(2) == 0 || (Hostile == HostileSide.Payer && (LosesDatabase || RestoresOldDatabase));
        CooperativeCloseAt = Random.NextInt32(3) == 0 ? (uint)Random.NextInt32(100) : null;
        MinerStreakFrom = (uint)Random.NextInt32((int)Lifetime + 10);
        MinerStreak = Random.NextInt32(2) == 0 ? 0 : 1 + Random.NextInt32(10);
        PayerWindow = new Sela(1_000L * (1 + Random.NextInt32(20)));
        PayeeWindow = new Sela(1_000L * (1 + Random.NextInt32(20)));
        CloseThreshold = Random.NextInt32(4) == 0 ? new Sela(50_000) : Sela.Max;
    }

    public ulong Seed { get; }

    public RefundForm Form { get; }

    public HostileSide Hostile { get; }

    /// <summary>Blocks from the proposal to L.</summary>
    public uint Lifetime { get; }

    /// <summary>Share of messages that never arrive.</summary>
    public double MessageLoss { get; }

    /// <summary>Chance that a side is killed in a step; it is in the middle of whatever it did.</summary>
    public double CrashChance { get; }

    public double ReorganisationChance { get; }

    /// <summary>Chance that the nodes forget their pools in a step.</summary>
    public double PoolLossChance { get; }

    /// <summary>Whether a write takes several steps, in which more comes in and a kill may strike.</summary>
    public bool SlowDisk { get; }

    public bool LosesDatabase { get; }

    public bool RestoresOldDatabase { get; }

    /// <summary>Who loses its database or gets an old one back; while it does, the other side keeps its own.</summary>
    public ChannelRole LosingSide { get; }

    public bool HasWatchtower { get; }

    /// <summary>After how many blocks the payer wants to end it; never when null.</summary>
    public uint? CooperativeCloseAt { get; }

    /// <summary>The hostile miner's blocks in a row, counted from the proposal.</summary>
    public uint MinerStreakFrom { get; }

    public int MinerStreak { get; }

    public Sela PayerWindow { get; }

    public Sela PayeeWindow { get; }

    public Sela CloseThreshold { get; }

    public SeededRandom Random { get; }

    public bool Happens(double chance) => chance > 0 && Random.NextFraction() < chance;

    public override string ToString() =>
        $"seed {Seed}: {Form}, hostile {Hostile}, lifetime {Lifetime}, loss {MessageLoss:P0}, crash {CrashChance:P1}, reorganisation {ReorganisationChance:P1}, "
        + $"streak {MinerStreak} from {MinerStreakFrom}, lost database {LosesDatabase}, old database {RestoresOldDatabase}, watchtower {HasWatchtower}";
}
