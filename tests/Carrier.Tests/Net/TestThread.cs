using System.Net.Sockets;
using Carrier.Core;
using Carrier.Net;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Tests.Net;

/// <summary>A network thread whose application the test is.</summary>
internal sealed class TestThread(IDatagramMachine machine, DatagramSockets sockets, TimeSpan spin = default)
    : NetworkThread(machine, sockets, spin, NullLogger.Instance)
{
    private long _served;

    public Func<bool>? OnEffects { get; set; }

    public int DrainsThisTurn { get; private set; }

    /// <summary>Run once after each turn that received something.</summary>
    public Action? ShortWork { get; set; }

    protected override bool HasShortWork => ShortWork is not null && Sockets.Counters.DatagramsReceived > _served;

    protected override void RunShortWork()
    {
        Assert.False(HasTurn);
        _served = Sockets.Counters.DatagramsReceived;
        ShortWork?.Invoke();
    }

    protected override bool DrainEffects(Instant now)
    {
        DrainsThisTurn = DrainsThisTurn == 1 ? 2 : 1;
        return OnEffects?.Invoke() ?? false;
    }

    /// <summary>Stops it; what it stopped by.</summary>
    public async Task<Exception?> StopAsync()
    {
        await DisposeAsync();
        return await Stopped;
    }

    /// <summary>A socket that talks to it.</summary>
    public Socket Connect()
    {
        Socket client = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        client.Connect(Sockets.LocalEndpoint(AddressFamily.InterNetwork).ToIPEndPoint());
        return client;
    }
}
