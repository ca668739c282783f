using System.IO.Pipelines;
using Carrier.Agent.Network;
using Carrier.Chain.Primitives;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Channels;

/// <summary>Keeps a payer's channel connected to its payee for as long as it is not over: it is the payer who dials.</summary>
internal sealed partial class ChannelDialler(INetwork network, ILogger logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    public async Task RunAsync(LiveChannel channel, CancellationToken cancellationToken)
    {
        TimeSpan pause = FirstPause;
        while (!channel.Machine.IsOver && !channel.Shell.HasFailed && !cancellationToken.IsCancellationRequested)
        {
            Task wanted = channel.Wanted.Next;
            bool wasConnected = await TalkAsync(channel, cancellationToken).ConfigureAwait(false);
            pause = wasConnected ? FirstPause : pause;
            await Task.WhenAny(wanted, channel.Changed.UntilAsync(() => channel.Machine.IsOver, pause, cancellationToken)).ConfigureAwait(false);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>One session to its end; whether there was one.</summary>
    private async Task<bool> TalkAsync(LiveChannel channel, CancellationToken cancellationToken)
    {
        bool wasConnected = false;
        try
        {
            IPeerSession session = await network.ConnectAsync(channel.Peer, ChannelListener.Protocol, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                IDuplexPipe stream = await session.OpenStreamAsync(cancellationToken).ConfigureAwait(false);
                wasConnected = true;
                channel.Tell(null);
                await ChannelListener.RunAsync(channel, stream, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (NetworkException e)
        {
            channel.Tell($"The payee is not reached: {e.Message}");
            LogNotReached(logger, channel.Id, e.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return wasConnected; // the agent stops
        }

        return wasConnected;
    }

    [LoggerMessage(43, LogLevel.Debug, "The payee of channel {Channel} is not reached: {Reason}")]
    private static partial void LogNotReached(ILogger logger, Hash256 channel, string reason);
}
