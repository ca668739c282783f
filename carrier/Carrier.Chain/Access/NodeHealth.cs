namespace Carrier.Chain.Access;

/// <summary>How a node has behaved since the program started.</summary>
/// <param name="Answers">Good answers.</param>
/// <param name="Failures">Failures in a row.</param>
/// <param name="Lies">Answers that contradicted a proof; they are never forgiven while the program runs.</param>
/// <param name="LastFault">The newest failure.</param>
/// <param name="LastDetail">What it was.</param>
public readonly record struct NodeHealth(long Answers, int Failures, int Lies, NodeFault LastFault, string LastDetail)
{
    /// <summary>Failures in a row after which a node is only asked when nobody else is left.</summary>
    public const int FailuresToRest = 5;

    public bool IsHealthy => Lies == 0 && Failures < FailuresToRest;

    public NodeHealth After(NodeFault fault, string detail) => fault switch
    {
        NodeFault.None => this with { Answers = Answers + 1, Failures = 0 },
        NodeFault.Error => this with { Answers = Answers + 1, Failures = 0 }, // it answered; the question was refused
        NodeFault.Lie => this with { Lies = Lies + 1, LastFault = fault, LastDetail = detail },
        _ => this with { Failures = Failures + 1, LastFault = fault, LastDetail = detail },
    };
}
