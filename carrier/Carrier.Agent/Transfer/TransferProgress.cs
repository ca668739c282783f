namespace Carrier.Agent.Transfer;

/// <summary>How far a transfer is.</summary>
/// <param name="DoneBytes">Sent or received, what was there before included.</param>
/// <param name="TotalBytes">Null when the size is not known.</param>
/// <param name="Entry">The path being moved, as the peer or the disk spells it: clean it before it is shown.</param>
internal readonly record struct TransferProgress(long DoneBytes, long? TotalBytes, string Entry);
