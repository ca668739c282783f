using Carrier.Core.Identity;

namespace Carrier.Chain.Channels;

/// <summary>One party's key, wherever it is kept. <see cref="CoSigner"/> decides what it is asked to sign.</summary>
public interface IChannelSigner
{
    OwnerPublicKey PublicKey { get; }

    /// <summary>Signs the unsigned part of a transaction, ECDSA P-256 over SHA-256, s in the low half.</summary>
    ChannelSignature Sign(ReadOnlySpan<byte> unsignedTransaction);
}
