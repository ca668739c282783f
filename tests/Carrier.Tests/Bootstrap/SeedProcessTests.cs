using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Carrier.Nat;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Bootstrap;

/// <summary>The program itself, started as an operator would.</summary>
public sealed class SeedProcessTests : IDisposable
{
    /// <summary>What an operator is promised between SIGTERM and the end.</summary>
    private static readonly TimeSpan DrainPromise = TimeSpan.FromSeconds(5);

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string State => _folder.File("state");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Seed_serves_its_pages_and_drains_on_sigterm()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM.");
        using SeedProcess seed = await SeedProcess.StartAsync(State, "--log", "json");
        using HttpClient client = new() { BaseAddress = new Uri($"http://{seed.Http}"), Timeout = SeedProcess.Patience };

        Assert.Equal("ok\n", await client.GetStringAsync(new Uri("/healthz", UriKind.Relative), Cancel));
        using HttpResponseMessage metrics = await client.GetAsync(new Uri("/metrics", UriKind.Relative), Cancel);
        Assert.Equal(MediaTypeHeaderValue.Parse("text/plain; version=0.0.4; charset=utf-8"), metrics.Content.Headers.ContentType);
        string[] lines = (await metrics.Content.ReadAsStringAsync(Cancel)).TrimEnd('\n').Split('\n');
        PrometheusTextTests.AssertWellFormed(lines);
        Assert.Contains("# TYPE carrier_network_received_bytes_total counter", lines);
        Assert.Contains("# TYPE carrier_home_registrations gauge", lines);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri("/", UriKind.Relative), Cancel)).StatusCode);
        using HttpResponseMessage posted = await client.PostAsync(new Uri("/metrics", UriKind.Relative), content: null, Cancel);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);
        Assert.Equal(0, (await SeedProcess.RunAsync("health", "--http", seed.Http.ToString())).Code);

        long start = Stopwatch.GetTimestamp();
        seed.Signal(SeedProcess.Sigterm);
        (int code, string log) = await seed.WhenEndedAsync();

        Assert.Equal(0, code);
        Assert.True(Stopwatch.GetElapsedTime(start) < DrainPromise);
        Assert.All(log.TrimEnd('\n').Split('\n'), line => Assert.StartsWith("{\"Timestamp\":", line, StringComparison.Ordinal));
        Assert.Contains("\"EventId\":303", log, StringComparison.Ordinal);
        Assert.Equal(1, (await SeedProcess.RunAsync("health", "--http", seed.Http.ToString())).Code);
    }

    [Fact]
    public async Task Seed_killed_hard_comes_back_as_the_same_seed()
    {
        SeedAddress before;
        using (SeedProcess seed = await SeedProcess.StartAsync(State))
        {
            before = seed.Address;
            (int code, _, string error) = await SeedProcess.RunAsync("--listen", "127.0.0.1:0", "--http", "none", "--state", State);
            Assert.Equal(1, code);
            Assert.Contains("another seed", error, StringComparison.Ordinal);
            seed.KillHard();
        }

        using SeedProcess again = await SeedProcess.StartAsync(State);
        Assert.Equal(before.Key, again.Address.Key);
    }

    [Fact]
    public async Task Seed_answers_stun()
    {
        using SeedProcess seed = await SeedProcess.StartAsync(State);
        using UdpClient client = new(new IPEndPoint(IPAddress.Loopback, 0));
        byte[] request = new byte[StunMessage.HeaderBytes];
        int bytes = StunMessage.WriteBindingRequest(request, new byte[StunMessage.TransactionIdBytes]);

        await client.SendAsync(request.AsMemory(0, bytes), seed.Address.Host, seed.Address.Port, Cancel);
        UdpReceiveResult answer = await client.ReceiveAsync(Cancel).AsTask().WaitAsync(SeedProcess.Patience, Cancel);

        Assert.True(StunMessage.TryParse(answer.Buffer, out StunMessage message));
        Assert.Equal(client.Client.LocalEndPoint, message.MappedAddress.ToIPEndPoint());
    }

    [Fact]
    public async Task Seed_satisfies_a_stun_client_of_others()
    {
        using SeedProcess seed = await SeedProcess.StartAsync(State);
        Process stun;
        try
        {
            ProcessStartInfo info = new("turnutils_stunclient", ["-p", $"{seed.Address.Port}", seed.Address.Host]) { RedirectStandardOutput = true, RedirectStandardError = true };
            stun = Process.Start(info)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("turnutils_stunclient is not installed: apt-get install coturn (Debian) brings it.");
            return;
        }

        using (stun)
        {
            // The last thing it does asks RFC 5780's questions, which a plain server does not answer: it is not waited for.
            string output = "";
            while (!output.Contains("reflexive addr", StringComparison.Ordinal)
                && await stun.StandardOutput.ReadLineAsync(Cancel).AsTask().WaitAsync(SeedProcess.Patience, Cancel) is { } line)
            {
                output += line;
            }

            stun.Kill();
            Assert.Contains("reflexive addr: 127.0.0.1:", output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(2, "--listen", "nowhere")]
    [InlineData(2, "--unheard-of", "1")]
    [InlineData(2, "--config", "/nonexistent/seed.json")]
    [InlineData(1, "--listen", "192.0.2.1:4242")]
    public async Task Seed_that_cannot_serve_says_so_by_its_exit_code(int expected, string flag, string value)
    {
        (int code, _, string error) = await SeedProcess.RunAsync(flag, value, "--http", "none", "--state", State);

        Assert.Equal(expected, code);
        Assert.NotEmpty(error);
    }
}
