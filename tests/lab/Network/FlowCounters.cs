using System.Net;
using System.Text.Json;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>Bytes the core carried for each (source, destination) since the last reset: the network's own word on who spoke to whom.</summary>
internal sealed class FlowCounters(LabNetwork network)
{
    public Task ResetAsync(CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.Core, "nft", "flush set ip core flows"], cancellation: cancellation);

    /// <summary>Bytes from one site's public address to each other address, headers included.</summary>
    public async Task<IReadOnlyDictionary<IPAddress, long>> SentByAsync(Site from, CancellationToken cancellation)
    {
        string json = await Tool.MustRunAsync("ip", ["netns", "exec", network.Core, "nft", "-j", "list", "set", "ip", "core", "flows"], cancellation: cancellation);
        using JsonDocument document = JsonDocument.Parse(json);
        var sent = new Dictionary<IPAddress, long>();
        foreach (JsonElement item in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (!item.TryGetProperty("set", out JsonElement set) || !set.TryGetProperty("elem", out JsonElement elements))
            {
                continue;
            }

            foreach (JsonElement element in elements.EnumerateArray())
            {
                JsonElement flow = element.GetProperty("elem");
                JsonElement ends = flow.GetProperty("val").GetProperty("concat");
                if (ends[0].GetString() == from.PublicAddress.ToString())
                {
                    sent[IPAddress.Parse(ends[1].GetString()!)] = flow.GetProperty("counter").GetProperty("bytes").GetInt64();
                }
            }
        }

        return sent;
    }
}
