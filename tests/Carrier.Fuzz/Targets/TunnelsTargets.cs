using System.Text;
using Carrier.Tunnels;

namespace Carrier.Fuzz.Targets;

/// <summary>Fuzz target of the one thing read from a stranger before a tunnel is a WebSocket, which the framework reads.</summary>
public static class TunnelsTargets
{
    public static void Upgrade(ReadOnlySpan<byte> data)
    {
        if (TunnelUpgrade.TryParse(data, out string key))
        {
            Assert.Equal(24, key.Length);
            string answer = Encoding.ASCII.GetString(TunnelUpgrade.Accept(key));
            Assert.Equal(answer.Length - 4, answer.IndexOf("\r\n\r\n", StringComparison.Ordinal));
        }
    }
}
