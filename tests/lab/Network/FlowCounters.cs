using System.Net;
using System.Text.Json;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>Bytes the core carried for each (source, destination) since the last reset: the network's own word on who spoke to whom.</summary>
internal sealed class FlowCounters(LabNetwork network)
{
    /// <summary>The name of the set in each family's table.</summary>
    private const string Flows = "flows";

    public Task ResetAsync(CancellationToken cancellation) =>
        Tool.MustRunAsync("ip", ["netns", "exec", network.Core, "nft", $"flush set ip core {Flows}; flush set ip6 core {Flows}"], cancellation: cancellation);

    /// <summary>Bytes from one site's public addresses to each other address, headers included.</summary>
    public async Task<SentBytes> SentByAsync(Site from, CancellationToken cancellation)
    {
        string json = await Tool.MustRunAsync("ip", ["netns", "exec", network.Core, "nft", "-j", "list ruleset"], cancellation: cancellation);
        HashSet<string> own = [.. from.PublicAddresses.Select(address => address.ToString())];
        using JsonDocument document = JsonDocument.Parse(json);
        var sent = new Dictionary<IPAddress, long>();
        foreach (JsonElement item in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (!item.TryGetProperty("set", out JsonElement set) || set.GetProperty("name").GetString() != Flows || !set.TryGetProperty("elem", out JsonElement elements))
            {
                continue;
            }

            foreach (JsonElement element in elements.EnumerateArray())
            {
                JsonElement flow = element.GetProperty("elem");
                JsonElement ends = flow.GetProperty("val").GetProperty("concat");
                if (own.Contains(ends[0].GetString()!))
                {
                    sent[IPAddress.Parse(ends[1].GetString()!)] = flow.GetProperty("counter").GetProperty("bytes").GetInt64();
                }
            }
        }

        return new SentBytes(sent);
    }
}

/// <summary>What one site sent, by the address it sent to.</summary>
internal sealed class SentBytes(Dictionary<IPAddress, long> sent)
{
    public long Total => sent.Values.Sum();

    public long To(Site site) => site.PublicAddresses.Sum(address => sent.GetValueOrDefault(address));
}
