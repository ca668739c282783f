namespace Carrier.Agent.Transfer;

/// <summary>Unwinds one transfer to its edge, where it becomes an outcome; it never leaves <see cref="FileSender"/> or <see cref="FileReceiver"/>.</summary>
internal sealed class TransferException(FailureReason reason, Exception? cause = null) : Exception($"Transfer ended: {reason}.", cause)
{
    public FailureReason Reason { get; } = reason;

    /// <summary>Tells a full disk from a broken one.</summary>
    public static TransferException OfDisk(IOException error) => new(IsDiskFull(error) ? FailureReason.DiskFull : FailureReason.DiskError, error);

    private static bool IsDiskFull(IOException error) => OperatingSystem.IsWindows()
        ? (error.HResult & 0xFFFF) is 39 or 112 // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
        : error.HResult is 28 or 69 or 122; // ENOSPC; EDQUOT of macOS and of Linux
}
