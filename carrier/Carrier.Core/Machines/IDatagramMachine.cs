namespace Carrier.Core;

/// <summary>The face every machine that owns a whole socket shows its driver: the network thread in the shell, the simulator in tests.</summary>
/// <remarks>Called once a batch, never once a packet. One thread drives a machine; it has no lock.</remarks>
public interface IDatagramMachine
{
    /// <summary>When to call <see cref="HandleTimeout"/>, or <see cref="Instant.Never"/>.</summary>
    Instant NextDeadline { get; }

    /// <summary>Takes what one receive returned: datagrams of <paramref name="segmentBytes"/> each, the last perhaps shorter, all from one sender.
    /// The bytes may be decrypted in place and are the driver's again when the call returns. All of them were marked <paramref name="ecn"/>.</summary>
    void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable);

    void HandleTimeout(Instant now);

    /// <summary>Fills <paramref name="buffer"/> with the next datagrams to send; false when there is nothing to send now.</summary>
    bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit);
}
