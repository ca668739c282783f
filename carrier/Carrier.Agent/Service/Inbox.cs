using System.Collections.Concurrent;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Transfer;
using Carrier.Core.Identity;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Service;

/// <summary>Takes files that arrive, and decides whose: the allow list, what <c>up</c> and <c>receive</c> were told, or somebody who is asked.</summary>
internal sealed partial class Inbox
{
    /// <summary>How long somebody has to answer.</summary>
    private static readonly TimeSpan AskFor = TimeSpan.FromMinutes(2);

    private readonly AgentHome _home;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly FileReceiver _receiver;
    private readonly ConcurrentDictionary<int, Attendant> _attendants = new();
    private int _lastNumber;

    public Inbox(AgentHome home, TimeProvider time, ILogger logger)
    {
        _home = home;
        _time = time;
        _logger = logger;
        _receiver = new FileReceiver(time) { Decide = DecideAsync, Progress = Report };
    }

    /// <summary>Receives everything a session brings, one transfer behind the other.</summary>
    public async Task ReceiveAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        while (await session.AcceptStreamAsync(cancellationToken).ConfigureAwait(false) is { } stream)
        {
            ReceiveOutcome outcome = await _receiver.RunAsync(stream, session.Peer, cancellationToken).ConfigureAwait(false);
            Log(session.Peer, outcome);
            await TellAttendantsAsync(session.Peer, outcome).ConfigureAwait(false);
        }
    }

    /// <summary>Lets a conversation decide and watch until it ends, or has received one transfer if it asked for that.</summary>
    public async Task AttendAsync(ReceiveRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        int number = Interlocked.Increment(ref _lastNumber);
        var ticker = new ProgressTicker(conversation, _time);
        await using (ticker.ConfigureAwait(false))
        {
            var attendant = new Attendant(request, conversation, ticker, cancellationToken);
            _attendants[number] = attendant;
            try
            {
                await attendant.Finished.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                _attendants.TryRemove(number, out _);
            }
        }
    }

    private async ValueTask<ReceiveDecision> DecideAsync(TrustId peer, Offer offer, CancellationToken cancellationToken)
    {
        AgentConfig config = AgentConfig.Load(_home);
        string folder = config.ReceiveFolder ?? _home.Received;
        Attendant[] attendants = [.. _attendants.OrderByDescending(pair => pair.Key).Select(pair => pair.Value)];
        string chosen = attendants.Select(each => each.Request.Folder).FirstOrDefault(each => each is not null) ?? folder;
        if (config.Allows(peer) || attendants.Any(each => each.Allows(peer)))
        {
            return ReceiveDecision.Accept(chosen);
        }

        if (attendants.FirstOrDefault(each => each.Request.Asks) is not { } asked)
        {
            return ReceiveDecision.Refuse(RefusalReason.NotAllowed);
        }

        return await asked.AskAsync(peer, offer, Interlocked.Increment(ref _lastNumber), AskFor, _time, cancellationToken).ConfigureAwait(false)
            ? ReceiveDecision.Accept(asked.Request.Folder ?? folder)
            : ReceiveDecision.Refuse(RefusalReason.Declined);
    }

    private void Report(TrustId peer, TransferProgress progress)
    {
        foreach (KeyValuePair<int, Attendant> attendant in _attendants)
        {
            attendant.Value.Ticker.Report(progress);
        }
    }

    private async Task TellAttendantsAsync(TrustId peer, ReceiveOutcome outcome)
    {
        string? failure = outcome.Refusal?.ToString() ?? (outcome.Failure == FailureReason.None ? null : outcome.Failure.ToString());
        var reply = new ReceivedReply(
            peer.ToString(),
            outcome.Offer?.Name,
            outcome.InstalledAt,
            outcome.BytesReceived,
            outcome.Sha256 is { } digest ? Convert.ToHexStringLower(digest) : null,
            failure);
        foreach (KeyValuePair<int, Attendant> attendant in _attendants)
        {
            await attendant.Value.TellAsync(reply).ConfigureAwait(false);
        }
    }

    private void Log(TrustId peer, ReceiveOutcome outcome)
    {
        if (outcome.InstalledAt is not null)
        {
            LogReceived(_logger, peer, outcome.InstalledAt, outcome.BytesReceived);
        }
        else if (outcome.Refusal is { } refusal)
        {
            LogRefused(_logger, peer, refusal);
        }
        else
        {
            LogBroken(_logger, peer, outcome.Failure, outcome.BytesReceived);
        }
    }

    [LoggerMessage(10, LogLevel.Information, "Received {Path} from {Peer}, {Bytes} bytes")]
    private static partial void LogReceived(ILogger logger, TrustId peer, string path, long bytes);

    [LoggerMessage(11, LogLevel.Information, "Refused a transfer from {Peer}: {Reason}")]
    private static partial void LogRefused(ILogger logger, TrustId peer, RefusalReason reason);

    [LoggerMessage(12, LogLevel.Information, "A transfer from {Peer} broke after {Bytes} bytes: {Reason}")]
    private static partial void LogBroken(ILogger logger, TrustId peer, FailureReason reason, long bytes);
}
