namespace Carrier.Lab.Links;

/// <summary>Who is on the link.</summary>
internal enum LinkCrowd
{
    /// <summary>One Carrier session, and in another run one TCP flow: their goodputs are compared.</summary>
    Alone,

    /// <summary>Two Carrier sessions at once: the first one's part is judged.</summary>
    TwoSessions,

    /// <summary>A Carrier session and a TCP CUBIC flow at once: the session's part is judged.</summary>
    BesideTcp,

    /// <summary>One transfer of a fixed size during which the path's MTU falls to 1,280: the longest stall is judged.</summary>
    MtuDrop,
}

/// <summary>One line of the table.</summary>
/// <param name="Name">What <c>--case</c> takes.</param>
/// <param name="Link">Both directions of the link.</param>
/// <param name="Crowd">Who is on it.</param>
/// <param name="Congestion">The congestion controller of Carrier's sessions.</param>
/// <param name="Least">The bar: the least ratio or part, or for <see cref="LinkCrowd.MtuDrop"/> the longest stall in seconds.</param>
/// <param name="Floor">What noise cannot break, and a run fails below (above, for a stall).</param>
internal sealed record LinkCase(string Name, LinkConditions Link, LinkCrowd Crowd, string Congestion, double Least, double Floor)
{
    /// <summary>The short run's: one of each kind.</summary>
    public static readonly IReadOnlyList<string> Short = ["near-1m", "near-loss3-bbr", "jitter", "mtu-drop"];

    private static readonly LinkConditions Near = new()
    {
        Delay = TimeSpan.FromMilliseconds(25),
        RateBitsPerSecond = 100_000_000,
        QueueBytes = 1 << 20,
        MtuBytes = 1_500,
    };

    private static readonly LinkConditions Far = Near with { Delay = TimeSpan.FromMilliseconds(100), RateBitsPerSecond = 20_000_000 };

    private static readonly LinkConditions Jittery = Near with { Jitter = TimeSpan.FromMilliseconds(20), JitterReorders = true };

    private static readonly LinkConditions Reordering = Near with { Reorder = 0.01, ReorderDelay = TimeSpan.FromMilliseconds(3.6) };

    public static readonly IReadOnlyList<LinkCase> All =
    [
        new("near-1m", Near, LinkCrowd.Alone, "cubic", 0.95, 0.5),
        new("near-64k", Near with { QueueBytes = 64 << 10 }, LinkCrowd.Alone, "cubic", 0.95, 0.4),
        new("far-1m", Far, LinkCrowd.Alone, "cubic", 0.95, 0.4),
        new("far-64k", Far with { QueueBytes = 64 << 10 }, LinkCrowd.Alone, "cubic", 0.95, 0.3),
        new("near-loss1", Near with { Loss = 0.01 }, LinkCrowd.Alone, "cubic", 1.0, 0.4),
        new("near-loss3", Near with { Loss = 0.03 }, LinkCrowd.Alone, "cubic", 1.0, 0.3),
        new("near-loss1-bbr", Near with { Loss = 0.01 }, LinkCrowd.Alone, "bbr", 1.0, 1.0),
        new("near-loss3-bbr", Near with { Loss = 0.03 }, LinkCrowd.Alone, "bbr", 2.0, 1.5),
        new("far-loss1", Far with { Loss = 0.01 }, LinkCrowd.Alone, "cubic", 1.0, 0.3),
        new("far-loss3-bbr", Far with { Loss = 0.03 }, LinkCrowd.Alone, "bbr", 2.0, 1.5),
        new("near-burst1", Near with { Loss = 0.01, LossBurstPackets = 5 }, LinkCrowd.Alone, "cubic", 1.0, 0.3),
        new("jitter", Jittery, LinkCrowd.Alone, "cubic", 0.95, 0.2),
        new("jitter-64k", Jittery with { QueueBytes = 64 << 10 }, LinkCrowd.Alone, "cubic", 0.95, 0.2),
        new("reorder", Reordering, LinkCrowd.Alone, "cubic", 0.95, 0.3),
        new("duplicate", Near with { Duplication = 0.02 }, LinkCrowd.Alone, "cubic", 0.95, 0.4),
        new("two-64k", Near with { QueueBytes = 64 << 10 }, LinkCrowd.TwoSessions, "cubic", 0.40, 0.05),
        new("two-1m", Near, LinkCrowd.TwoSessions, "cubic", 0.40, 0.05),
        new("two-bbr", Near, LinkCrowd.TwoSessions, "bbr", 0.40, 0.05),
        new("tcp-64k", Near with { QueueBytes = 64 << 10 }, LinkCrowd.BesideTcp, "cubic", 0.35, 0.02),
        new("tcp-1m", Near, LinkCrowd.BesideTcp, "cubic", 0.35, 0.02),
        new("mtu-drop", Near, LinkCrowd.MtuDrop, "cubic", 1.0, 5.0),
    ];

    /// <summary>As the table names the link.</summary>
    public string Shape
    {
        get
        {
            var words = new List<string>
            {
                $"{2 * Link.Delay.TotalMilliseconds} ms", $"{Link.RateBitsPerSecond / 1_000_000} Mbit/s",
                Link.QueueBytes >= 1 << 20 ? $"{Link.QueueBytes >> 20} MB" : $"{Link.QueueBytes >> 10} KB",
            };
            if (Link.Loss > 0)
            {
                words.Add(Link.LossBurstPackets > 1 ? $"{Link.Loss:P0} lost in bursts of {Link.LossBurstPackets}" : $"{Link.Loss:P0} lost");
            }

            if (Link.Jitter > TimeSpan.Zero)
            {
                words.Add($"{Link.Jitter.TotalMilliseconds} ms jitter, reordering");
            }

            if (Link.Reorder > 0)
            {
                words.Add($"{Link.Reorder:P0} overtaken by 30");
            }

            if (Link.Duplication > 0)
            {
                words.Add($"{Link.Duplication:P0} twice");
            }

            return string.Join(", ", words);
        }
    }
}
