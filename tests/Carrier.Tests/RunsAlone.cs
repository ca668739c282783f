namespace Carrier.Tests;

/// <summary>Tests that measure what the whole process holds or does, and so run while no other does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class RunsAlone
{
    public const string Name = "alone";
}
