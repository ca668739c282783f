using System.Net;
using Carrier.Core;
using Carrier.Net;
using Carrier.Node.Homes;

namespace Carrier.Benchmarks.Relay;

/// <summary>A dialler, a registered device, and the relay channel between them.</summary>
internal sealed record ChannelPair(RelayDevice Dialler, RelayDevice Target, ulong Channel)
{
    /// <summary>From the dialler through the relay to the target.</summary>
    public RelayFlow NewFlow(Endpoint relay, int datagramsATrain, bool noGso) =>
        new(Dialler.Socket, Target.Socket, relay, Channel, datagramsATrain, noGso);

    /// <summary>The same by the bare forwarder, which is told the target's port instead of a channel.</summary>
    public RelayFlow NewBareFlow(Endpoint forwarder, int datagramsATrain, bool noGso) =>
        new(Dialler.Socket, Target.Socket, forwarder, (ulong)((IPEndPoint)Target.Socket.LocalEndPoint!).Port, datagramsATrain, noGso);
}

/// <summary>Pairs of devices that a home joins. Diallers sit in a network of their own each (127.0.k.1), so that they share no budget but the relay's; targets at 127.0.0.1.</summary>
internal sealed class ChannelPairs : IDisposable
{
    private readonly List<ChannelPair> _pairs = [];

    public ChannelPairs(HomeContact home, int count)
    {
        for (int i = 0; i < count; i++)
        {
            RelayDevice dialler = new(home, new IPAddress([127, 0, (byte)(i + 1), 1]), DatagramSockets.KernelBufferBytes);
            RelayDevice target = new(home, IPAddress.Loopback, DatagramSockets.KernelBufferBytes);
            target.Register();
            _pairs.Add(new ChannelPair(dialler, target, dialler.Connect(target)));
        }
    }

    public IReadOnlyList<ChannelPair> All => _pairs;

    public void Dispose()
    {
        foreach (ChannelPair pair in _pairs)
        {
            pair.Dialler.Dispose();
            pair.Target.Dispose();
        }
    }
}
