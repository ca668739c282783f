using System.Net;
using System.Net.Sockets;
using System.Text;
using Carrier.Lab.Network;

namespace Carrier.Lab.Services;

/// <summary>Connections to ports on a namespace's own loopback.</summary>
internal static class LoopbackSockets
{
    public static async Task<bool> AcceptsAsync(string netns, int port, CancellationToken cancellation)
    {
        using Socket socket = NetworkNamespace.Run(netns, Open);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, cancellation);
            return true;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Opens so many HTTP connections, all before the first asks, then gets a page on each at once. Returns how many got it whole.</summary>
    public static async Task<int> GetAsync(string netns, int port, string path, string expected, int connections, CancellationToken cancellation)
    {
        Socket[] sockets = NetworkNamespace.Run(netns, () => Enumerable.Range(0, connections).Select(_ => Open()).ToArray());
        try
        {
            await Task.WhenAll(sockets.Select(socket => socket.ConnectAsync(IPAddress.Loopback, port, cancellation).AsTask()));
            bool[] answered = await Task.WhenAll(sockets.Select(socket => TryGetAsync(socket, path, expected, cancellation)));
            return answered.Count(each => each);
        }
        finally
        {
            Array.ForEach(sockets, socket => socket.Dispose());
        }
    }

    private static Socket Open() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private static async Task<bool> TryGetAsync(Socket socket, string path, string expected, CancellationToken cancellation)
    {
        try
        {
            await using var stream = new NetworkStream(socket);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.0\r\nHost: lab\r\n\r\n"), cancellation);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            string answer = await reader.ReadToEndAsync(cancellation);
            return answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal) && answer.EndsWith(expected, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
