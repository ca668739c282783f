namespace Carrier.Lab.Tools;

/// <summary>The lab itself cannot go on: a kernel call refused, a NAT not as named, a process that never became ready. Caught once, in Program.</summary>
internal sealed class LabException(string message) : Exception(message);
