using System.Runtime.CompilerServices;
using Carrier.Core.Session.Streams;

namespace Carrier.Core.Session;

/// <summary>Turns what changed into effects, one a call: the session's own, then its streams'. Nothing is queued but facts, so nothing grows.</summary>
internal sealed class EffectQueue(SessionParts parts)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryTake(out SessionEffect effect)
    {
        if (TryNotice(SessionNotices.Confirmed))
        {
            effect = new(SessionEffectKind.Confirmed);
        }
        else if (parts.Ids.TryEffect(out effect))
        {
            return true;
        }
        else if (TryNotice(SessionNotices.PathChanged))
        {
            effect = new(SessionEffectKind.PathChanged, Path: parts.Paths.Active.Path);
        }
        else if (TryNotice(SessionNotices.AddressObserved))
        {
            effect = new(SessionEffectKind.AddressObserved, Path: new NetworkPath(parts.Observed));
        }
        else if (parts.Streams.StreamsAvailable)
        {
            parts.Streams.StreamsAvailable = false;
            effect = new(SessionEffectKind.StreamsAvailable);
        }
        else if (parts.Streams.TryTakeNotice(out StreamState stream, out StreamNotice notice))
        {
            effect = Of(stream, notice);
        }
        else if (TryNotice(SessionNotices.DatagramReceived))
        {
            effect = new(SessionEffectKind.DatagramReceived);
        }
        else if (TryNotice(SessionNotices.Closed))
        {
            effect = new(SessionEffectKind.Closed);
        }
        else
        {
            return false;
        }

        return true;
    }

    private static SessionEffect Of(StreamState stream, StreamNotice notice) => notice switch
    {
        StreamNotice.Opened => new(SessionEffectKind.StreamOpened, stream.Id),
        StreamNotice.Readable => new(SessionEffectKind.StreamReadable, stream.Id),
        StreamNotice.Reset => new(SessionEffectKind.StreamReset, stream.Id, stream.PeerResetCode!.Value),
        StreamNotice.StopSending => new(SessionEffectKind.StopSending, stream.Id, stream.PeerStopCode!.Value),
        _ => new(SessionEffectKind.StreamWritable, stream.Id),
    };

    private bool TryNotice(SessionNotices notice)
    {
        bool told = (parts.Notices & notice) != 0;
        parts.Notices &= ~notice;
        return told;
    }
}
