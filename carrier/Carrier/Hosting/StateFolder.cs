using Carrier.Core.Storage;
using Carrier.Node;
using Microsoft.Extensions.Logging;

namespace Carrier.Hosting;

/// <summary>Where a node's snapshot lives between runs. It speeds a start up and nothing depends on it: what cannot be read or kept is only logged.</summary>
internal sealed class StateFolder(string? path, ILogger logger)
{
    /// <summary>More than a full table, record store and list of peers take.</summary>
    private const int MaxFileBytes = 64 << 20;

    private const string DhtFile = "dht.state";
    private const string PeersFile = "peers.state";

    public bool IsKept => path is not null;

    public NodeSnapshot Read()
    {
        if (path is null)
        {
            return default;
        }

        try
        {
            _ = Directory.CreateDirectory(path);
            DurableFile.CleanLeftovers(path);
            _ = DurableFile.TryRead(Path.Combine(path, DhtFile), MaxFileBytes, out byte[] dht);
            _ = DurableFile.TryRead(Path.Combine(path, PeersFile), MaxFileBytes, out byte[] peers);
            return new NodeSnapshot(dht, peers);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            NodeLog.StateNotRead(logger, path, e);
            return default;
        }
    }

    public void Write(in NodeSnapshot snapshot)
    {
        if (path is null)
        {
            return;
        }

        try
        {
            DurableFile.Write(Path.Combine(path, DhtFile), snapshot.Dht.Span);
            DurableFile.Write(Path.Combine(path, PeersFile), snapshot.Peers.Span);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            NodeLog.StateNotKept(logger, path, e);
        }
    }
}
