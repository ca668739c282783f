namespace Carrier.Chain.Channels;

/// <summary>A channel machine was about to do what must never happen. Nothing of it happened; the channel needs a look by a person.</summary>
public sealed class ChannelInvariantException : Exception
{
    public ChannelInvariantException()
    {
    }

    public ChannelInvariantException(string invariant)
        : base(invariant)
    {
    }

    public ChannelInvariantException(string invariant, Exception innerException)
        : base(invariant, innerException)
    {
    }
}
