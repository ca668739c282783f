namespace Carrier.Agent.Transfer;

/// <summary>The bounds of <c>carrier/files/1</c>: what one peer can make the other hold, write or wait for.</summary>
internal static class TransferLimits
{
    /// <summary>The name of the protocol, asked for when the session is dialled.</summary>
    public const string Protocol = "carrier/files/1";

    /// <summary>An offer's encoding: a hundred thousand entries of ordinary paths. Read before consent, so it is also what a stranger can make us hold.</summary>
    public const int MaxOfferBytes = 16 * 1024 * 1024;

    public const int MaxEntries = 100_000;

    /// <summary>A whole relative path, in UTF-8: a quarter of Linux's PATH_MAX, which leaves room for the folder it lands in.</summary>
    public const int MaxPathBytes = 1024;

    /// <summary>One name between slashes, in UTF-8: what ext4, APFS and NTFS hold, less what <c> (999)</c> and <c>.whole</c> need.</summary>
    public const int MaxNameBytes = 240;

    public const int MaxDepth = 64;

    /// <summary>Every message but an offer and its acceptance.</summary>
    public const int MaxNoticeBytes = 64;

    /// <summary>One chunk of an entry's data.</summary>
    public const int MaxChunkBytes = 1024 * 1024;

    /// <summary>What the sender puts in a chunk: large enough that its head and the flush cost nothing, small enough to start early.</summary>
    public const int ChunkBytes = 256 * 1024;

    /// <summary>Data is made durable at least this often, and a transfer that breaks resends at most about this much.</summary>
    public const long FlushBytes = 64 * 1024 * 1024;

    /// <summary>Transfers kept half done in one folder; the oldest goes when one more begins.</summary>
    public const int MaxPartialTransfers = 32;

    /// <summary>Transfers received at one time, over all peers.</summary>
    public const int MaxConcurrentTransfers = 16;

    /// <summary>Disk space that receiving leaves free.</summary>
    public const long ReservedDiskBytes = 64 * 1024 * 1024;

    /// <summary>How many of one name are looked for before giving up: <c>name (999).ext</c>.</summary>
    public const int MaxNameCopies = 999;

    public static readonly TimeSpan FlushInterval = TimeSpan.FromSeconds(2);

    /// <summary>How long a half-done transfer is kept for its sender to come back.</summary>
    public static readonly TimeSpan PartialLifetime = TimeSpan.FromDays(7);

    /// <summary>A peer that moves nothing for so long is given up; a sender that resumes may hash a long prefix first.</summary>
    public static readonly TimeSpan StallTimeout = TimeSpan.FromMinutes(5);
}
