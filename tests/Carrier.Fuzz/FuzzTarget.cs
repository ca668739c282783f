using System.Reflection;

namespace Carrier.Fuzz;

/// <summary>Runs one parser over one input and throws when an invariant of it does not hold.</summary>
public delegate void FuzzEntry(ReadOnlySpan<byte> data);

/// <summary>One parser to fuzz: any public static method <c>void X(ReadOnlySpan&lt;byte&gt;)</c> of a class <c>YTargets</c> in
/// <c>Carrier.Fuzz.Targets</c>, named <c>Y.X</c>.</summary>
public sealed record FuzzTarget(string Name, FuzzEntry Run)
{
    private const string Namespace = "Carrier.Fuzz.Targets";
    private const string Suffix = "Targets";

    /// <summary>Every target there is, by name.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } = Find();

    private static FuzzTarget[] Find() =>
    [
        .. from type in typeof(FuzzTarget).Assembly.GetTypes()
           where type.Namespace == Namespace && type.IsPublic && type.Name.EndsWith(Suffix, StringComparison.Ordinal)
           from method in type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly)
           where method.ReturnType == typeof(void) && method.GetParameters() is [{ } only] && only.ParameterType == typeof(ReadOnlySpan<byte>)
           let name = $"{type.Name[..^Suffix.Length]}.{method.Name}"
           orderby name
           select new FuzzTarget(name, method.CreateDelegate<FuzzEntry>()),
    ];
}
