using System.Collections.Concurrent;
using System.Threading.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;
using Carrier.Agent.Tunnels.Forwarding;
using Carrier.Agent.Tunnels.Serving;
using Carrier.Core.Identity;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Service;

/// <summary>Services, forwards, pipes and SOCKS ports of this agent, and those of them that outlive a restart.</summary>
internal sealed partial class Tunnelling : IAsyncDisposable
{
    private readonly AgentHome _home;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly AccessLog _log;
    private readonly ServiceHost _host;
    private readonly PeerLinks _links;
    private readonly Forwarder _forwarder;
    private readonly ConcurrentDictionary<string, RunningForward> _forwards = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TunnelReport> _broken = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Channel<string>> _waiting = new(StringComparer.Ordinal);
    private readonly Lock _keeping = new();
    private readonly TunnelTotals _pipes = new();
    private readonly IDisposable _listener;

    public Tunnelling(AgentHome home, INetwork network, TimeProvider time, ILogger logger)
    {
        _home = home;
        _time = time;
        _logger = logger;
        _log = new AccessLog(home.Logs, time, logger);
        _host = new ServiceHost(network.TrustId, _log, time);
        _links = new PeerLinks(network, time);
        _forwarder = new Forwarder(_links, _log, time);
        _listener = network.Listen(TunnelLimits.Protocol, _host.AnswerAsync);
    }

    /// <summary>Starts what was kept. What cannot start says so here and in the list, and keeps nothing else from starting.</summary>
    public async Task StartKeptAsync()
    {
        KeptTunnels kept = KeptTunnels.Load(_home);
        foreach (ServiceDefinition service in kept.Services)
        {
            await StartAsync(
                async () => await _host.PublishAsync(service, isKept: true, static _ => { }).ConfigureAwait(false),
                new TunnelReport(service.Name, service.Kind.ToString(), service.Target, null, service.Name, service.Allow, true)).ConfigureAwait(false);
        }

        foreach (ForwardDefinition forward in kept.Forwards)
        {
            await StartAsync(() => Open(forward, true, static _ => { }), Describe(forward, true, forward.Port)).ConfigureAwait(false);
        }

        foreach (SocksDefinition socks in kept.Socks)
        {
            await StartAsync(() => Open(socks, true), Describe(socks, true, socks.Port)).ConfigureAwait(false);
        }
    }

    public async Task ServeAsync(ServeRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        ServiceDefinition definition = request.Definition;
        Channel<string> notes = Notes();
        PublishedService service = await _host.PublishAsync(definition, request.Keep, peer => notes.Writer.TryWrite(
            $"{peer} was refused: to let it in, serve {definition.Name} again with --allow {peer}.")).ConfigureAwait(false);
        await RunAsync(
            service.Report, request.Keep,
            kept => kept with { Services = [.. kept.Services.Where(each => each.Name != definition.Name), definition] },
            () => _host.WithdrawAsync(definition.Name).AsTask(), notes, conversation, cancellationToken).ConfigureAwait(false);
    }

    public Task ForwardAsync(ForwardRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        ForwardDefinition definition = request.Definition;
        RequirePortToKeep(request.Keep, definition.Port);
        Channel<string> notes = Notes();
        TunnelReport report = Open(definition, request.Keep, end =>
        {
            if (end != TunnelEnd.PeerReset && Complaint(end, definition.Service) is { } complaint)
            {
                notes.Writer.TryWrite(complaint.Message);
            }
        });
        return RunAsync(
            report, request.Keep, kept => kept with { Forwards = [.. kept.Forwards.Where(each => !IsNamed(each, report.Id)), definition] },
            () => CloseAsync(report.Id), notes, conversation, cancellationToken);
    }

    public Task SocksAsync(SocksRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        SocksDefinition definition = request.Definition;
        RequirePortToKeep(request.Keep, definition.Port);
        TunnelReport report = Open(definition, request.Keep);
        return RunAsync(
            report, request.Keep, kept => kept with { Socks = [.. kept.Socks.Where(each => !IsNamed(each, report.Id)), definition] },
            () => CloseAsync(report.Id), Notes(), conversation, cancellationToken);
    }

    public async Task PipeAsync(TrustId peer, ServiceName service, IConversation conversation, CancellationToken cancellationToken)
    {
        var local = new StreamEnd(conversation.Input, conversation.Output);
        TunnelEnd end = await _forwarder.RunAsync(
            peer, service, "pipe", local, _pipes,
            refused => refused is null ? conversation.SayAsync(new OpenedReply(peer.ToString(), service.Text), cancellationToken) : ValueTask.CompletedTask,
            cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (Complaint(end, service.Text) is { } complaint)
        {
            throw complaint;
        }
    }

    public async Task ListAsync(IConversation conversation, CancellationToken cancellationToken)
    {
        IEnumerable<TunnelReport> all = _host.Reports.Concat(_forwards.Values.Select(each => each.Report)).Concat(_broken.Values);
        foreach (TunnelReport report in all.OrderBy(each => each.Id, StringComparer.Ordinal))
        {
            await conversation.SayAsync(new TunnelReply(report), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Stops what has this id, kept or not; a command that waits on it ends.</summary>
    public async Task StopAsync(string id, IConversation conversation, CancellationToken cancellationToken)
    {
        Keep(kept => new KeptTunnels
        {
            Services = [.. kept.Services.Where(each => each.Name != id)],
            Forwards = [.. kept.Forwards.Where(each => !IsNamed(each, id))],
            Socks = [.. kept.Socks.Where(each => !IsNamed(each, id))],
        });
        bool stopped = await _host.WithdrawAsync(id).ConfigureAwait(false) | await CloseAsync(id).ConfigureAwait(false) | _broken.TryRemove(id, out _);
        if (!stopped)
        {
            throw new AgentException(ExitCode.Usage, $"There is no '{id}': carrier services lists what there is.");
        }

        if (_waiting.TryGetValue(id, out Channel<string>? notes))
        {
            notes.Writer.TryComplete();
        }

        await conversation.SayAsync(new NoteReply($"{id} is stopped"), cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        foreach (string id in _forwards.Keys)
        {
            await CloseAsync(id).ConfigureAwait(false);
        }

        await _host.DisposeAsync().ConfigureAwait(false);
        await _links.DisposeAsync().ConfigureAwait(false);
        await _log.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>What to tell of a tunnel that did not end well; null for one that did.</summary>
    internal static AgentException? Complaint(TunnelEnd end, string service) => end switch
    {
        TunnelEnd.Refused => new AgentException(
            ExitCode.Refused, $"The peer refuses '{service}': it has no such service, or not for you. Its owner can let you in: carrier serve … --allow YOUR-TRUSTID (carrier id)."),
        TunnelEnd.Busy => new AgentException(ExitCode.Refused, $"'{service}' has all the connections it takes: try again later."),
        TunnelEnd.TargetUnreachable => new AgentException(ExitCode.Unreachable, $"The peer publishes '{service}', but nothing answers behind it there."),
        TunnelEnd.PeerReset => new AgentException(ExitCode.Interrupted, "The connection was cut off at the peer."),
        TunnelEnd.PeerUnreachable => new AgentException(ExitCode.Unreachable, "The peer was not reached."),
        _ => null,
    };

    private static TunnelReport Describe(ForwardDefinition forward, bool kept, int port) => new(
        $"forward:{port}{(forward.Udp ? "/udp" : string.Empty)}", forward.Udp ? "udp" : "tcp", $"{forward.Bind}:{port}", forward.Peer, forward.Service, null, kept);

    private static TunnelReport Describe(SocksDefinition socks, bool kept, int port) =>
        new($"socks:{port}", "socks", $"{socks.Bind}:{port}", null, null, null, kept);

    private static bool IsNamed(ForwardDefinition forward, string id) => Describe(forward, true, forward.Port).Id == id;

    private static bool IsNamed(SocksDefinition socks, string id) => Describe(socks, true, socks.Port).Id == id;

    private static void RequirePortToKeep(bool keep, int port)
    {
        if (keep && port == 0)
        {
            throw new AgentException(ExitCode.Usage, "What is kept needs a port of its own: give a number other than 0.");
        }
    }

    /// <summary>What a waiting command is told; somebody who refuses or fails a thousand times fills four places.</summary>
    private static Channel<string> Notes() => Channel.CreateBounded<string>(new BoundedChannelOptions(4) { FullMode = BoundedChannelFullMode.DropWrite });

    private async Task StartAsync(Func<Task> start, TunnelReport report)
    {
        try
        {
            await start().ConfigureAwait(false);
        }
        catch (AgentException e)
        {
            _broken[report.Id] = report with { Failure = e.Message };
            LogNotStarted(_logger, report.Id, e.Message);
        }
    }

    private Task StartAsync(Action start, TunnelReport report) => StartAsync(
        () =>
        {
            start();
            return Task.CompletedTask;
        },
        report);

    /// <summary>Says what runs now; then either has it kept, or stays with the command until it leaves or is stopped by another, and stops it.</summary>
    private async Task RunAsync(
        TunnelReport report,
        bool keep,
        Func<KeptTunnels, KeptTunnels> change,
        Func<Task> stop,
        Channel<string> notes,
        IConversation conversation,
        CancellationToken cancellationToken)
    {
        if (keep)
        {
            Keep(change);
            _broken.TryRemove(report.Id, out _);
            await conversation.SayAsync(new TunnelReply(report), cancellationToken).ConfigureAwait(false);
            return;
        }

        _waiting[report.Id] = notes;
        try
        {
            await conversation.SayAsync(new TunnelReply(report), cancellationToken).ConfigureAwait(false);
            await foreach (string note in notes.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                await conversation.SayAsync(new NoteReply(note), cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _waiting.TryRemove(report.Id, out _);
            await stop().ConfigureAwait(false);
        }
    }

    private void Keep(Func<KeptTunnels, KeptTunnels> change)
    {
        lock (_keeping)
        {
            change(KeptTunnels.Load(_home)).Save(_home);
        }
    }

    private TunnelReport Open(ForwardDefinition definition, bool kept, Action<TunnelEnd> ended)
    {
        if (!TrustId.TryParse(definition.Peer, out TrustId peer) || !ServiceName.TryParse(definition.Service, out ServiceName service))
        {
            throw new AgentException(ExitCode.Usage, $"'{definition.Peer}/{definition.Service}' is no TRUSTID/SERVICE.");
        }

        IForward forward = definition.Udp
            ? new UdpForward(definition, peer, service, _links, _log, _time, ended)
            : new TcpForward(definition, peer, service, _forwarder, ended);
        return Add(forward, Describe(definition, kept, forward.Address.Port));
    }

    private TunnelReport Open(SocksDefinition definition, bool kept)
    {
        var server = new SocksServer(definition, _forwarder);
        return Add(server, Describe(definition, kept, server.Address.Port));
    }

    private TunnelReport Add(IForward forward, TunnelReport report)
    {
        // One port on two addresses is rare; the second is known by its address too.
        string id = report.Id;
        while (!_forwards.TryAdd(id, new RunningForward(forward, report with { Id = id })))
        {
            id += $"@{forward.Address.Address}";
        }

        return report with { Id = id };
    }

    private async Task<bool> CloseAsync(string id)
    {
        if (!_forwards.TryRemove(id, out RunningForward? running))
        {
            return false;
        }

        await running.Forward.DisposeAsync().ConfigureAwait(false);
        return true;
    }

    [LoggerMessage(21, LogLevel.Warning, "{Tunnel} was kept but cannot start: {Reason}")]
    private static partial void LogNotStarted(ILogger logger, string tunnel, string reason);

    private sealed record RunningForward(IForward Forward, TunnelReport Description)
    {
        public TunnelReport Report => Description.With(Forward.Totals);
    }
}
