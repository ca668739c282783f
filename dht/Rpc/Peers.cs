using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Dht.Rpc;

/// <summary>What is remembered of the nodes we asked: how fast they answer, and the address token they gave us.</summary>
internal sealed class Peers
{
    /// <summary>Peers remembered; a forgotten one costs a padded question and a default timeout.</summary>
    public const int MaxPeers = 4_096;

    /// <summary>A token older than this is not shown again: its issuer's epoch has likely passed.</summary>
    public static readonly TimeSpan TokenLifetime = TimeSpan.FromMinutes(4);

    private static readonly TimeSpan AssumedRoundTrip = TimeSpan.FromMilliseconds(200);

    private readonly LruTable<(PublicKey Key, Endpoint Remote), Peer> _peers = new(MaxPeers);
    private RoundTripTime _everybody = RoundTripTime.Assume(AssumedRoundTrip);

    /// <summary>After how long a call to this peer is slow; a peer never timed is taken to be like the others.</summary>
    public TimeSpan TimeoutOf(in PublicKey key, Endpoint remote) =>
        _peers.TryGet((key, remote), out Peer peer) && peer.RoundTrip.HasSample ? peer.RoundTrip.Timeout : _everybody.Timeout;

    public bool TryGetToken(Instant now, in PublicKey key, Endpoint remote, out UInt128 token)
    {
        bool known = _peers.TryGet((key, remote), out Peer peer) && peer.HasToken && now - peer.TokenAt < TokenLifetime;
        token = known ? peer.Token : default;
        return known;
    }

    public void RememberToken(Instant now, in PublicKey key, Endpoint remote, UInt128 token)
    {
        ref Peer peer = ref _peers.GetOrAdd((key, remote), out _);
        peer.Token = token;
        peer.TokenAt = now;
        peer.HasToken = true;
    }

    public void ForgetToken(in PublicKey key, Endpoint remote) => _peers.GetOrAdd((key, remote), out _).HasToken = false;

    public void Answered(in PublicKey key, Endpoint remote, TimeSpan roundTrip)
    {
        _peers.GetOrAdd((key, remote), out _).RoundTrip.Sample(roundTrip);
        _everybody.Sample(roundTrip);
    }

    public void TimedOut(in PublicKey key, Endpoint remote) => _peers.GetOrAdd((key, remote), out _).RoundTrip.BackOff();

    private struct Peer
    {
        public RoundTripTime RoundTrip;
        public UInt128 Token;
        public Instant TokenAt;
        public bool HasToken;
    }
}
