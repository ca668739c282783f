using System.Net;
using Carrier.Agent.State;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Nat;

namespace Carrier.Agent.Network;

/// <summary>The SDK's node behind the agent's seam.</summary>
internal sealed class CarrierNetwork : INetwork
{
    private readonly CarrierNode _node;
    private readonly KeystoreContents _keys;

    private CarrierNetwork(CarrierNode node, KeystoreContents keys)
    {
        _node = node;
        _keys = keys;
    }

    public TrustId TrustId => _node.TrustId;

    /// <summary>Starts a node; it owns the keys from here on.</summary>
    /// <exception cref="AgentException">A seed or the address to listen on does not read.</exception>
    public static async Task<INetwork> StartAsync(NodeSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            var options = new CarrierNodeOptions
            {
                Identity = new NodeIdentity(settings.Keys.Device!, settings.Keys.Delegation!),
                Seeds = [.. settings.Seeds.Select(ReadSeed)],
                Listen = settings.Listen is null ? null : ReadListen(settings.Listen),
                PortMapping = settings.PortMapping,
                MulticastDns = settings.MulticastDns,
                StateDirectory = settings.StateFolder,
                LoggerFactory = settings.LoggerFactory,
            };
            return new CarrierNetwork(await CarrierNode.StartAsync(options, cancellationToken).ConfigureAwait(false), settings.Keys);
        }
        catch
        {
            settings.Keys.Dispose();
            throw;
        }
    }

    public Task WaitUntilReadyAsync(CancellationToken cancellationToken) => _node.WaitUntilReadyAsync(cancellationToken);

    public async Task<IPeerSession> ConnectAsync(TrustId peer, string protocol, CancellationToken cancellationToken)
    {
        try
        {
            return new CarrierPeerSession(await _node.ConnectAsync(peer, protocol, cancellationToken).ConfigureAwait(false));
        }
        catch (CarrierException e)
        {
            throw Failures.Of(e);
        }
    }

    public IDisposable Listen(string protocol, Func<IPeerSession, CancellationToken, Task> handler) =>
        _node.Listen(protocol, (session, cancellationToken) => handler(new CarrierPeerSession(session), cancellationToken));

    public async Task<IReadOnlyList<DeviceReport>> ResolveAsync(TrustId peer, CancellationToken cancellationToken) =>
        [.. (await FindDevicesAsync(peer, cancellationToken).ConfigureAwait(false)).Select(Describe)];

    public async Task<OwnerPublicKey> FindOwnerKeyAsync(TrustId peer, CancellationToken cancellationToken) =>
        (await FindDevicesAsync(peer, cancellationToken).ConfigureAwait(false))[0].OwnerKey;

    public async Task<StatusReport> GetStatusAsync(CancellationToken cancellationToken)
    {
        NodeStatus status = await _node.GetStatusAsync(cancellationToken).ConfigureAwait(false);
        return new StatusReport(
            status.TrustId.ToString(),
            status.IsServing ? "server" : "client",
            status.IsReady,
            Texts(status.LocalEndpoints),
            [.. status.Candidates.Where(candidate => candidate.Kind == CandidateKind.Reflexive).Select(candidate => candidate.Endpoint.ToString())],
            status.Mapping.ToString(),
            Texts(status.Homes),
            status.TableNodes,
            status.Sessions,
            status.Drops.Values.Sum());
    }

    public async Task<IReadOnlyList<PeerReport>> GetPeersAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<PeerStatus> peers = await _node.GetPeersAsync(cancellationToken).ConfigureAwait(false);
        return [.. peers.Select(peer => new PeerReport(
            peer.Peer.ToString(), peer.Protocol, CarrierPeerSession.Describe(peer.Path), peer.BytesReceived, peer.BytesSent))];
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync().ConfigureAwait(false);
        _keys.Dispose();
    }

    private async Task<IReadOnlyList<ResolvedDevice>> FindDevicesAsync(TrustId peer, CancellationToken cancellationToken)
    {
        try
        {
            Resolution resolution = await _node.ResolveAsync(peer, cancellationToken).ConfigureAwait(false);
            return resolution.Devices.Count > 0
                ? resolution.Devices
                : throw new NetworkException(NetworkFailure.NotFound, "Nothing is announced at this TrustID: is its agent running, and on the same network of seeds?");
        }
        catch (CarrierException e)
        {
            throw Failures.Of(e);
        }
    }

    private static DeviceReport Describe(ResolvedDevice device) => new(
        device.ExchangeKey.ToString(),
        device.DelegationSerial,
        [.. device.Candidates.Select(candidate => $"{candidate.Endpoint} {candidate.Kind}")],
        Texts(device.Homes),
        DateTimeOffset.FromUnixTimeSeconds(device.Expiry.Seconds));

    private static string[] Texts<T>(IEnumerable<T> values)
        where T : notnull => [.. values.Select(value => value.ToString() ?? string.Empty)];

    private static SeedAddress ReadSeed(string text) => SeedAddress.TryParse(text, out SeedAddress seed)
        ? seed
        : throw new AgentException(ExitCode.Usage, $"'{text}' is no seed: give key@host:port, the key as 64 hex digits.");

    private static IPEndPoint ReadListen(string text) => Endpoint.TryParse(text, out Endpoint endpoint)
        ? endpoint.ToIPEndPoint()
        : throw new AgentException(ExitCode.Usage, $"'{text}' is no address to listen on: give ip:port.");
}
