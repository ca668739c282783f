using System.IO.Pipelines;
using Carrier.Agent.Network;

namespace Carrier.Agent.Tunnels.Serving;

/// <summary>One peer's session at the serving end: every stream it opens asks for a service.</summary>
internal sealed class ServedSession(IPeerSession session, ServiceHost host, AccessLog log, TimeProvider time)
{
    /// <summary>How long, and how far, a refused stream is read on, so that the refusal is heard before the stream ends.</summary>
    private static readonly TimeSpan HearRefusalFor = TimeSpan.FromSeconds(5);

    private readonly FlowTable _flows = new();

    /// <summary>Runs to the session's end. The transport bounds how many streams there are at one time.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var tasks = new OwnedTasks();
        tasks.Begin(() => _flows.DealAsync(session, ended.Token));
        try
        {
            while (await session.AcceptStreamAsync(ended.Token).ConfigureAwait(false) is { } stream)
            {
                tasks.Begin(() => AnswerAsync(stream, ended.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }

        await ended.CancelAsync().ConfigureAwait(false);
        await tasks.WhenEndedAsync().ConfigureAwait(false);
    }

    private async Task AnswerAsync(IDuplexPipe stream, CancellationToken cancellationToken)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TunnelLimits.Patience);
            byte[]? message = await Framing.TryReadAsync(stream.Input, TunnelLimits.MaxRequestBytes, patience.Token).ConfigureAwait(false);
            if (message is null || !TunnelRequest.TryParse(message, out TunnelRequest request))
            {
                await RefuseAsync(stream, default, TunnelOutcome.Refused, cancellationToken).ConfigureAwait(false);
            }
            else if (request.Kind == TunnelKind.Presence)
            {
                WriteAnswer(stream.Output, TunnelOutcome.Open);
                await stream.Output.CompleteAsync().ConfigureAwait(false);
                await stream.Input.CompleteAsync().ConfigureAwait(false);
            }
            else if (host.Find(request, session.Peer) is not { } service)
            {
                await RefuseAsync(stream, request, TunnelOutcome.Refused, cancellationToken).ConfigureAwait(false);
            }
            else if (!service.TryEnter(session.Peer))
            {
                service.Totals.Fail();
                await RefuseAsync(stream, request, TunnelOutcome.Busy, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await ServeAsync(stream, request, service, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Pump.CutOff(stream);
        }
    }

    /// <summary>Serves one connection or flow, whose place in the service is taken.</summary>
    private async Task ServeAsync(IDuplexPipe stream, TunnelRequest request, PublishedService service, CancellationToken cancellationToken)
    {
        long begun = time.GetTimestamp();
        var meter = new TunnelMeter(service.Totals, service.Budget);
        TunnelEnd end = TunnelEnd.Stopped;
        long dropped = 0;
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, service.Withdrawn);
            if (request.Kind == TunnelKind.Flow)
            {
                (end, dropped) = await ServeFlowAsync(stream, request, service, meter, stop.Token).ConfigureAwait(false);
            }
            else
            {
                end = await ServeConnectionAsync(stream, service, meter, stop.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            service.Leave(session.Peer);
            log.Write(new AccessEntry(
                "in", session.Peer.ToString(), service.Definition.Name, service.Protocol, null,
                Math.Round(time.GetElapsedTime(begun).TotalMilliseconds, 1), meter.BytesIn, meter.BytesOut, end)
            { Dropped = dropped == 0 ? null : dropped });
        }

        if (end == TunnelEnd.TargetUnreachable)
        {
            service.Totals.Fail();
            await RefuseAsync(stream, null, TunnelOutcome.TargetUnreachable, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<TunnelEnd> ServeConnectionAsync(
        IDuplexPipe stream, PublishedService service, TunnelMeter meter, CancellationToken cancellationToken)
    {
        LocalEnd target;
        try
        {
            target = await service.ConnectAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException)
        {
            return TunnelEnd.TargetUnreachable;
        }

        await using (target.ConfigureAwait(false))
        {
            WriteAnswer(stream.Output, TunnelOutcome.Open);
            await stream.Output.FlushAsync(cancellationToken).ConfigureAwait(false);
            return await Pump.RunAsync(stream, target, meter, readsAnswer: false, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(TunnelEnd End, long Dropped)> ServeFlowAsync(
        IDuplexPipe stream, TunnelRequest request, PublishedService service, TunnelMeter meter, CancellationToken cancellationToken)
    {
        UdpTarget target;
        try
        {
            target = await service.ConnectUdpAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException)
        {
            return (TunnelEnd.TargetUnreachable, 0);
        }

        using (target)
        {
            var flow = new DatagramFlow(meter, time, target.SendAsync);
            if (!_flows.TryAdd(request.Flow, flow))
            {
                Pump.CutOff(stream);
                return (TunnelEnd.Busy, 0);
            }

            try
            {
                WriteAnswer(stream.Output, TunnelOutcome.Open);
                await stream.Output.FlushAsync(cancellationToken).ConfigureAwait(false);
                using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                Task<TunnelEnd> running = flow.RunAsync(session, stream, request.Flow, readsAnswer: false, ended.Token);
                Task receiving = target.ReceiveAsync(flow, ended.Token);
                TunnelEnd end = await running.ConfigureAwait(false);
                await ended.CancelAsync().ConfigureAwait(false);
                await receiving.ConfigureAwait(false);
                return (end, flow.Dropped);
            }
            finally
            {
                _flows.Remove(request.Flow);
            }
        }
    }

    private static void WriteAnswer(PipeWriter output, TunnelOutcome outcome)
    {
        Span<byte> answer = stackalloc byte[TunnelLimits.MaxAnswerBytes];
        Framing.Write(output, answer[..TunnelAnswer.Write(answer, outcome)]);
    }

    /// <summary>Answers no. What the peer had sent meanwhile is read over for a moment: stopping it at once could overtake the answer.</summary>
    /// <param name="request">What goes into the log; null where it is there already.</param>
    private async Task RefuseAsync(IDuplexPipe stream, TunnelRequest? request, TunnelOutcome outcome, CancellationToken cancellationToken)
    {
        if (request is { } asked)
        {
            log.WriteRefusal(new AccessEntry("in", session.Peer.ToString(), asked.Service.Text, null, null, 0, 0, 0, Pump.EndOf(outcome)));
        }

        WriteAnswer(stream.Output, outcome);
        await stream.Output.CompleteAsync().ConfigureAwait(false);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(HearRefusalFor);
        ReadResult result;
        do
        {
            result = await stream.Input.ReadAsync(patience.Token).ConfigureAwait(false);
            stream.Input.AdvanceTo(result.Buffer.End);
        }
        while (!result.IsCompleted);
        await stream.Input.CompleteAsync().ConfigureAwait(false);
    }
}
