using System.IO.Pipelines;
using Carrier.Core.Identity;

namespace Carrier.Agent.Network;

/// <summary>The SDK's session behind the agent's seam.</summary>
internal sealed class CarrierPeerSession(CarrierSession session) : IPeerSession
{
    public TrustId Peer => session.Peer;

    public PathReport Path => Describe(session.Path);

    public static PathReport Describe(PathStatus path) => new(
        path.Kind == PathKind.Direct ? "direct" : "relay", path.Address.ToString(), Math.Round(path.Rtt.TotalMilliseconds, 3));

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

    public ValueTask DisposeAsync() => session.DisposeAsync();
}
