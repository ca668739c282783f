using System.Net;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>Work done inside a named network namespace (<c>/run/netns/NAME</c>).</summary>
internal static class NetworkNamespace
{
    /// <summary>
    /// Runs <paramref name="action"/> on a thread of its own that has entered the namespace and ends afterwards. A socket opened there
    /// belongs to that namespace for life, whichever thread uses it later; <c>/proc/sys/net</c> there is that namespace's.
    /// </summary>
    public static T Run<T>(string name, Func<T> action)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter(name);
                result = action();
            }
#pragma warning disable CA1031 // The exception is carried to the caller, who is on another thread.
            catch (Exception e)
#pragma warning restore CA1031
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    public static Socket OpenUdp(string name, IPAddress address, int port = 0) => Run(name, () =>
    {
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(address, port));
        return socket;
    });

    public static Socket OpenTcp(string name) => Run(name, () => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));

    /// <summary>Sets kernel parameters such as <c>net/ipv4/ip_forward=1</c>.</summary>
    public static void Configure(string name, params string[] settings) => Run(name, () =>
    {
        foreach (string setting in settings)
        {
            string[] pair = setting.Split('=');
            File.WriteAllText($"/proc/sys/{pair[0]}", pair[1]);
        }

        return settings.Length;
    });

    private static void Enter(string name)
    {
        int fd = Libc.Open($"/run/netns/{name}", Libc.OpenReadOnly | Libc.OpenCloseOnExec);
        if (fd < 0 || Libc.SetNamespace(fd, Libc.CloneNewNet) != 0)
        {
            throw new LabException($"cannot enter namespace {name}: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        _ = Libc.Close(fd);
    }
}
