using System.Globalization;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>
/// Whose namespaces are whose: a run is named by its runner's process id and start time, so whether it still lives can be told from the name.
/// </summary>
internal readonly record struct LabRun(int ProcessId, long StartTicks)
{
    private const string Mark = "crl-";
    private const string KeptFolder = "/run/carrier-lab";

    public static readonly LabRun Current = new(Environment.ProcessId, StartTicksOf(Environment.ProcessId) ?? 0);

    public string Prefix => string.Create(CultureInfo.InvariantCulture, $"{Mark}{ProcessId}.{StartTicks}");

    public bool IsAlive => StartTicksOf(ProcessId) == StartTicks;

    /// <summary>A dead run whose namespaces its user asked to keep for a look.</summary>
    public bool IsKept => File.Exists(KeptFile);

    private string KeptFile => Path.Combine(KeptFolder, Prefix);

    public void MarkKept()
    {
        Directory.CreateDirectory(KeptFolder);
        File.WriteAllText(KeptFile, "");
    }

    public void ForgetKept()
    {
        if (IsKept)
        {
            File.Delete(KeptFile);
        }
    }

    /// <summary>The runs that have namespaces on this machine, newest last.</summary>
    public static async Task<IReadOnlyList<LabRun>> ListAsync(CancellationToken cancellation)
    {
        string listing = await Tool.MustRunAsync("ip", ["netns", "list"], cancellation: cancellation);
        return [.. listing.Split('\n')
            .Select(line => TryParse(line, out LabRun run) ? run : default)
            .Where(run => run.ProcessId != 0)
            .Distinct()
            .OrderBy(run => run.StartTicks)];
    }

    private static bool TryParse(string name, out LabRun run)
    {
        run = default;
        string[] parts = name.StartsWith(Mark, StringComparison.Ordinal) ? name[Mark.Length..].Split('-')[0].Split('.') : [];
        if (parts.Length != 2 || !int.TryParse(parts[0], CultureInfo.InvariantCulture, out int id) || !long.TryParse(parts[1], CultureInfo.InvariantCulture, out long ticks))
        {
            return false;
        }

        run = new LabRun(id, ticks);
        return true;
    }

    /// <summary>Field 22 of <c>/proc/PID/stat</c>, counted after the command name, which may hold spaces and parentheses.</summary>
    private static long? StartTicksOf(int processId)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{processId}/stat");
            return long.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null; // no such process
        }
    }
}
