namespace Carrier.Lab.Tools;

/// <summary>The repository this lab was built in.</summary>
internal static class Repository
{
    /// <summary>The newest program that was made of a project: published into <c>artifacts/programs</c> (<c>tests/lab/publish</c>), or built in its own folder.</summary>
    public static string? Program(string project, string name)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Carrier.sln")))
            {
                return new[] { "artifacts/programs", $"{project}/bin/Release/net10.0", $"{project}/bin/Debug/net10.0" }
                    .Select(place => Path.Combine(folder.FullName, place, name))
                    .Where(File.Exists)
                    .MaxBy(program => MadeAt(program));
            }
        }

        return null;
    }

    /// <summary>Whether a program is native code alone. One that is not compiles itself while it starts, so its first dials are that much slower.</summary>
    public static bool IsNative(string program) =>
        !Directory.EnumerateFiles(Path.GetDirectoryName(program)!, "*.runtimeconfig.json").Any();

    /// <summary>A build that changes a library alone leaves the program's host as it was.</summary>
    private static DateTime MadeAt(string program) =>
        Directory.EnumerateFiles(Path.GetDirectoryName(program)!, "*.dll").Append(program).Max(File.GetLastWriteTimeUtc);
}
