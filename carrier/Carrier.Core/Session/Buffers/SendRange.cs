namespace Carrier.Core.Session.Buffers;

/// <summary>Bytes of a stream to put into one STREAM frame; <paramref name="Fin"/> when they end the stream. May be empty with a fin.</summary>
public readonly record struct SendRange(long Offset, int Length, bool Fin);
