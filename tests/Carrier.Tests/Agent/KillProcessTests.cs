using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Carrier.Agent.Transfer;
using Carrier.Tests.Agent.Tunnels;

namespace Carrier.Tests.Agent;

/// <summary><c>kill -9</c> of each program in turn, amid what a user does with it.</summary>
public sealed class KillProcessTests : IAsyncDisposable
{
    private const long FileBytes = 200_000_000;

    /// <summary>A part of the file that is on its way: long enough to have been acknowledged in part.</summary>
    private const long KillAtBytes = 10_000_000;

    private readonly AgentProcesses _processes = new();
    private Process? _sender;

    private static TimeSpan Patience => AgentProcesses.Patience;

    public ValueTask DisposeAsync() => _processes.DisposeAsync();

    [Fact]
    public async Task Kill_of_a_seed_leaves_sessions_and_new_dials_take_another_and_without_any_known_peers_connect()
    {
        await _processes.AddSeedAsync();
        await _processes.AddSeedAsync();
        using Socket target = TunnelRig.Listen();
        await _processes.InitAsync("a");
        await _processes.InitAsync("c");
        string peer = await _processes.InitAsync("b");
        await _processes.UpAsync("a");
        await _processes.UpAsync("b");
        Assert.Equal(0, (await _processes.RunAsync("b", "serve", "echo", $"127.0.0.1:{TunnelRig.PortOf(target)}", "--allow", "any", "--keep")).Code);
        Process forward = _processes.Start("a", "forward", "0", $"{peer}/echo", "--json");
        string line = (await forward.StandardOutput.ReadLineAsync().WaitAsync(Patience))!;
        string local = JsonDocument.Parse(line).RootElement.GetProperty("tunnel").GetProperty("local").GetString()!;
        using Socket client = await TunnelRig.DialAsync(IPEndPoint.Parse(local).Port);
        using Socket server = await target.AcceptAsync().WaitAsync(Patience);
        await PassAsync(client, server);

        _processes.Seeds[0].KillHard();
        await PassAsync(client, server);
        await _processes.UpAsync("c"); // told of both seeds, one of which is dead
        Assert.Equal(0, (await _processes.RunAsync("c", "ping", peer, "-c", "1")).Code);

        _processes.Seeds[1].KillHard();
        await PassAsync(client, server);
        Assert.Equal(0, (await _processes.RunAsync("a", "ping", peer, "-c", "1")).Code);
        Assert.Equal(0, (await _processes.RunAsync("c", "ping", peer, "-c", "1")).Code);
    }

    [Fact]
    public async Task Kill_of_the_receiver_amid_a_transfer_costs_nothing_of_what_had_arrived()
    {
        (string peer, Process receiver, string file) = await BeginAsync();
        Process send = _processes.Start("a", "send", file, peer, "--json");
        string part = await WaitForPartAsync();
        await AgentProcesses.KillAsync(receiver);
        long arrived = new FileInfo(part).Length;
        await _processes.UpAsync("b", "--allow", "all");

        // The same command goes on by itself, once the silence is noticed.
        string output = await send.StandardOutput.ReadToEndAsync().WaitAsync(3 * Patience);
        await send.WaitForExitAsync().WaitAsync(Patience);
        AssertSent(send.ExitCode, output, arrived);
    }

    [Fact]
    public async Task Kill_of_the_sender_amid_a_transfer_costs_nothing_of_what_had_arrived()
    {
        (string peer, _, string file) = await BeginAsync();
        Process send = _processes.Start("a", "send", file, peer, "--json");
        string part = await WaitForPartAsync();
        await AgentProcesses.KillAsync(_sender!);
        await send.WaitForExitAsync().WaitAsync(Patience);
        Assert.NotEqual(0, send.ExitCode);
        long arrived = new FileInfo(part).Length;
        await _processes.UpAsync("a");

        (int code, string output) = await _processes.RunAsync("a", "send", file, peer, "--json");
        AssertSent(code, output, arrived);
    }

    private async Task<(string Peer, Process Receiver, string File)> BeginAsync()
    {
        await _processes.AddSeedAsync();
        await _processes.InitAsync("a");
        string peer = await _processes.InitAsync("b");
        _sender = await _processes.UpAsync("a");
        Process receiver = await _processes.UpAsync("b", "--allow", "all");
        string file = _processes.File("file");
        await using (FileStream stream = File.Create(file))
        {
            stream.SetLength(FileBytes);
        }

        return (peer, receiver, file);
    }

    private async Task<string> WaitForPartAsync()
    {
        string staging = Path.Combine(_processes.File("b"), "received", EntryPath.StagingName);
        long end = Stopwatch.GetTimestamp() + (long)(Patience.TotalSeconds * Stopwatch.Frequency);
        while (Stopwatch.GetTimestamp() < end)
        {
            if (Directory.Exists(staging)
                && Directory.EnumerateFiles(staging, "0.part", SearchOption.AllDirectories).FirstOrDefault() is { } part
                && new FileInfo(part) is { Exists: true, Length: > KillAtBytes })
            {
                return part;
            }

            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        throw new TimeoutException("Nothing arrived.");
    }

    private static void AssertSent(int code, string output, long arrived)
    {
        Assert.True(code == 0, output);
        JsonElement sent = JsonDocument.Parse(output.TrimEnd('\n').Split('\n')[^1]).RootElement;
        Assert.Equal("sent", sent.GetProperty("type").GetString());
        Assert.Equal(FileBytes, sent.GetProperty("bytes").GetInt64());
        Assert.InRange(arrived, KillAtBytes, FileBytes - 1);
        Assert.InRange(sent.GetProperty("resumedBytes").GetInt64(), arrived, FileBytes);
    }

    private static async Task PassAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[5];
        await from.SendAsync("hello"u8.ToArray());
        int bytes = 0;
        while (bytes < buffer.Length)
        {
            int more = await to.ReceiveAsync(buffer.AsMemory(bytes)).AsTask().WaitAsync(Patience);
            Assert.NotEqual(0, more);
            bytes += more;
        }
    }
}
