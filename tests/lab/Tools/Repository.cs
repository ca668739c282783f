namespace Carrier.Lab.Tools;

/// <summary>The repository this lab was built in.</summary>
internal static class Repository
{
    /// <summary>The newest build of a project of the repository this lab was built in.</summary>
    public static string? Built(string project, string name)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Carrier.sln")))
            {
                return new[] { "Release", "Debug" }
                    .Select(configuration => Path.Combine(folder.FullName, project, "bin", configuration, "net10.0", name))
                    .Where(File.Exists)
                    .MaxBy(File.GetLastWriteTimeUtc);
            }
        }

        return null;
    }
}
