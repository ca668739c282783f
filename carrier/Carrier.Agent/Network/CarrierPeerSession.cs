using System.IO.Pipelines;
using Carrier.Core.Identity;

namespace Carrier.Agent.Network;

/// <summary>The SDK's session behind the agent's seam.</summary>
internal sealed class CarrierPeerSession(CarrierSession session) : IPeerSession
{
    public TrustId Peer => session.Peer;

    public PathReport Path => Describe(session.Path);

    public Task Closed => session.Closed;

    public int MaxDatagramBytes => session.MaxDatagramBytes;

    public static PathReport Describe(PathStatus path) => new(
        path.Kind == PathKind.Direct ? PathReport.Direct : PathReport.Relay, path.Address.ToString(), Math.Round(path.Rtt.TotalMilliseconds, 3));

    public async Task<IDuplexPipe> OpenStreamAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await session.OpenStreamAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (CarrierException e)
        {
            throw Failures.Of(e);
        }
    }

    public async Task<IDuplexPipe?> AcceptStreamAsync(CancellationToken cancellationToken) =>
        await session.AcceptStreamAsync(cancellationToken).ConfigureAwait(false);

    public bool TrySendDatagram(ReadOnlySpan<byte> datagram) => session.TrySendDatagram(datagram);

    public async ValueTask<int> ReceiveDatagramAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            return await session.ReceiveDatagramAsync(destination, cancellationToken).ConfigureAwait(false);
        }
        catch (CarrierException)
        {
            return -1;
        }
    }

    public ValueTask DisposeAsync() => session.DisposeAsync();
}
