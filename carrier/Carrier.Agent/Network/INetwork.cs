using System.IO.Pipelines;
using Carrier.Core.Identity;

namespace Carrier.Agent.Network;

/// <summary>What the agent asks of a node. The one seam between this program and the SDK, so that everything above it runs over a network in memory too.</summary>
internal interface INetwork : IAsyncDisposable
{
    TrustId TrustId { get; }

    Task WaitUntilReadyAsync(CancellationToken cancellationToken);

    /// <summary>Dials a peer.</summary>
    /// <exception cref="NetworkException">It was not found, not reached, or refused.</exception>
    Task<IPeerSession> ConnectAsync(TrustId peer, string protocol, CancellationToken cancellationToken);

    /// <summary>Answers sessions of a protocol until disposed; a session is disposed when its handler returns.</summary>
    IDisposable Listen(string protocol, Func<IPeerSession, CancellationToken, Task> handler);

    /// <exception cref="NetworkException">Nothing is known of the peer.</exception>
    Task<IReadOnlyList<DeviceReport>> ResolveAsync(TrustId peer, CancellationToken cancellationToken);

    /// <summary>The owner's key of a TrustID, as its devices' delegations have it.</summary>
    /// <exception cref="NetworkException">Nothing is known of the peer.</exception>
    Task<OwnerPublicKey> FindOwnerKeyAsync(TrustId peer, CancellationToken cancellationToken);

    Task<StatusReport> GetStatusAsync(CancellationToken cancellationToken);

    Task<IReadOnlyList<PeerReport>> GetPeersAsync(CancellationToken cancellationToken);
}

/// <summary>A session with a peer.</summary>
internal interface IPeerSession : IAsyncDisposable
{
    TrustId Peer { get; }

    PathReport Path { get; }

    /// <summary>Completes when the session has ended; never faults.</summary>
    Task Closed { get; }

    /// <summary>The largest datagram that fits the path now.</summary>
    int MaxDatagramBytes { get; }

    /// <exception cref="NetworkException">The session has ended.</exception>
    Task<IDuplexPipe> OpenStreamAsync(CancellationToken cancellationToken);

    /// <summary>The next stream the peer opens; null when the session has ended.</summary>
    Task<IDuplexPipe?> AcceptStreamAsync(CancellationToken cancellationToken);

    /// <summary>Sends an unreliable message; false when it is lost already.</summary>
    bool TrySendDatagram(ReadOnlySpan<byte> datagram);

    /// <summary>Waits for the next datagram and returns its length; -1 when the session has ended.</summary>
    ValueTask<int> ReceiveDatagramAsync(Memory<byte> destination, CancellationToken cancellationToken);
}
