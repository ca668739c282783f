using System.Net;

namespace Carrier.Seed.Operations;

/// <summary><c>carrier-seed health</c>: asks the running seed's <c>/healthz</c>, so that a container needs no other program for its check.</summary>
internal static class HealthProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <returns>The exit code: 0 when the seed serves.</returns>
    public static async Task<int> RunAsync(IPEndPoint? http, CancellationToken cancellationToken)
    {
        if (http is null)
        {
            await Console.Error.WriteLineAsync("carrier-seed: health is not served with --http none.").ConfigureAwait(false);
            return 1;
        }

        IPAddress host = http.Address.Equals(IPAddress.Any) ? IPAddress.Loopback : http.Address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : http.Address;
        using HttpClient client = new() { Timeout = Patience };
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri($"http://{new IPEndPoint(host, http.Port)}/healthz"), cancellationToken).ConfigureAwait(false);
            await Console.Out.WriteAsync(await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"carrier-seed: nothing answers at {http}: {e.Message}").ConfigureAwait(false);
            return 1;
        }
    }
}
