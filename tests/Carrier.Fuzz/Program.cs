using System.Globalization;
using Carrier.Fuzz;

const string Usage =
    """
    carrier-fuzz run [--seconds N] [--target X] [--seed N]    fuzz every target, or those whose name contains X, for N seconds each (default 10)
    carrier-fuzz replay FILE [--target X]                     run one input; the target is its folder's, or the one named
    carrier-fuzz distil [--target X]                          keep in the source the fewest inputs that light what all known ones light
    carrier-fuzz list                                         the targets
    """;

return args switch
{
    ["worker", "fuzz", string name, string milliseconds, string seed] =>
        Worker.Fuzz(Named(name), TimeSpan.FromMilliseconds(Number(milliseconds)), Number(seed)),
    ["worker", "distil", string name] => Worker.Distil(Named(name)),
    ["run", ..] => new Campaign(TimeSpan.FromSeconds(Number(Option("--seconds") ?? "10")), Number(Option("--seed") ?? RandomSeed())).Run(Chosen()),
    ["distil", ..] => Campaign.Distil(Chosen()),
    ["replay", string file, ..] => Replay(file),
    ["list"] => List(),
    _ => Help(),
};

string? Option(string name) => Array.IndexOf(args, name) is int at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;

static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

static string RandomSeed() => Random.Shared.Next().ToString(CultureInfo.InvariantCulture);

static FuzzTarget Named(string name) => FuzzTarget.All.Single(target => target.Name == name);

IReadOnlyList<FuzzTarget> Chosen() =>
    [.. FuzzTarget.All.Where(target => target.Name.Contains(Option("--target") ?? "", StringComparison.OrdinalIgnoreCase))];

int Replay(string file)
{
    string full = Path.GetFullPath(file);
    string folder = Path.GetFileName(Path.GetDirectoryName(full))!;
    string name = Option("--target") ?? (folder == "crashes" ? Path.GetFileName(full).Split('-')[0] : folder);
    Named(name).Run(File.ReadAllBytes(full));
    Console.WriteLine($"{name}: passed");
    return 0;
}

static int List()
{
    Console.WriteLine(string.Join(Environment.NewLine, FuzzTarget.All.Select(target => target.Name)));
    return 0;
}

static int Help()
{
    Console.Error.WriteLine(Usage);
    return 2;
}
