namespace Carrier.Agent.State;

/// <summary>Held by the one process that runs a home's node: two nodes of one device would take each other's messages.</summary>
internal sealed class HomeLock : IDisposable
{
    private readonly FileStream _file;

    private HomeLock(FileStream file) => _file = file;

    /// <summary>Takes the lock; null while another process has it. The system lets go of it when the process ends, however it ends.</summary>
    public static HomeLock? TryTake(AgentHome home)
    {
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            return new HomeLock(new FileStream(home.Lock, options));
        }
        catch (IOException) when (File.Exists(home.Lock))
        {
            return null;
        }
    }

    public void Dispose() => _file.Dispose();
}
