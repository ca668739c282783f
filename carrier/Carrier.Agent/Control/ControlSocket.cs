using System.Net.Sockets;
using System.Text;
using Carrier.Agent.State;

namespace Carrier.Agent.Control;

/// <summary>The Unix socket of a home. Mode 0600 in a folder of mode 0700: whoever can open it is the user.</summary>
internal static class ControlSocket
{
    /// <summary>Longest path of a Unix socket, in UTF-8: 104 on macOS and 108 on Linux and Windows, with the closing zero.</summary>
    private static readonly int MaxPathBytes = OperatingSystem.IsMacOS() ? 103 : 107;

    /// <summary>Opens a listening socket; the home's lock must be held. What a killed process left there is replaced.</summary>
    /// <exception cref="AgentException">The path is too long for a Unix socket.</exception>
    public static Socket Listen(AgentHome home, int backlog)
    {
        UnixDomainSocketEndPoint endPoint = EndPoint(home);
        File.Delete(home.ControlSocket);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(endPoint);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(home.ControlSocket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        socket.Listen(backlog);
        return socket;
    }

    /// <summary>Connects to the agent of a home; null when none is running.</summary>
    public static async Task<Socket?> TryConnectAsync(AgentHome home, CancellationToken cancellationToken)
    {
        if (!File.Exists(home.ControlSocket))
        {
            return null;
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(EndPoint(home), cancellationToken).ConfigureAwait(false);
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null; // a file without a listener: its process was killed
        }
    }

    private static UnixDomainSocketEndPoint EndPoint(AgentHome home)
    {
        if (Encoding.UTF8.GetByteCount(home.ControlSocket) <= MaxPathBytes)
        {
            return new UnixDomainSocketEndPoint(home.ControlSocket);
        }

        throw new AgentException(
            ExitCode.Usage,
            $"'{home.ControlSocket}' is too long for a socket ({MaxPathBytes} bytes at most): choose a shorter --home, or make a short link to it and use that.");
    }
}
