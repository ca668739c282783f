using System.CommandLine;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Carrier.Agent.Control;
using Carrier.Agent.State;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier demo</c>: a seed and two agents as three processes on this machine, and a file from one to the other by nothing but its TrustID.</summary>
internal static class DemoCommand
{
    private static readonly Option<int> Megabytes = new("--mib")
    {
        Description = "The size of the file, in MiB.",
        DefaultValueFactory = _ => 256,
        HelpName = "N",
    };

    public static Command Build()
    {
        var command = new Command("demo", "Start a seed and two agents on this machine, and send a file from one to the other by its TrustID.") { Megabytes };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static async Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("carrier-demo-");
        try
        {
            DemoReply demo = await RunAsync(context, folder.FullName, parsed.GetValue(Megabytes), cancellationToken).ConfigureAwait(false);
            context.Presenter.Say(demo);
            if (!demo.Sha256Equal)
            {
                throw new AgentException(ExitCode.Failure, "The file that arrived is not the file that was sent.");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<DemoReply> RunAsync(CommandContext context, string folder, int mebibytes, CancellationToken cancellationToken)
    {
        long begun = Stopwatch.GetTimestamp();
        string file = Path.Combine(folder, "random.bin");
        string sha256 = await WriteRandomAsync(file, mebibytes, cancellationToken).ConfigureAwait(false);
        Executable self = Executable.Self();

        ChildProcess seed = ChildProcess.Start(
            "carrier-seed", Executable.Seed(), "--listen", $"127.0.0.1:{FreePort()}", "--http", "none", "--state", Path.Combine(folder, "seed"));
        await using (seed.ConfigureAwait(false))
        {
            string address = await seed.ReadyAsync(cancellationToken).ConfigureAwait(false);
            context.Presenter.Say(new NoteReply($"seed      {address}"));
            string receiverHome = Path.Combine(folder, "receiver");
            string senderHome = Path.Combine(folder, "sender");
            string inbox = Path.Combine(folder, "inbox");
            string receiver = await InitAsync(self, receiverHome, cancellationToken).ConfigureAwait(false);
            string sender = await InitAsync(self, senderHome, cancellationToken).ConfigureAwait(false);
            ChildProcess receiving = ChildProcess.Start(
                "The receiver", self, "--home", receiverHome, "up", "--seed", address, "--allow", sender, "--dir", inbox);
            ChildProcess sending = ChildProcess.Start("The sender", self, "--home", senderHome, "up", "--seed", address);
            await using (receiving.ConfigureAwait(false))
            await using (sending.ConfigureAwait(false))
            {
                await receiving.ReadyAsync(cancellationToken).ConfigureAwait(false);
                await sending.ReadyAsync(cancellationToken).ConfigureAwait(false);
                context.Presenter.Say(new NoteReply($"receiver  {receiver}"));
                context.Presenter.Say(new NoteReply($"sender    {sender}"));
                SentReply sent = await SendAsync(self, senderHome, file, receiver, cancellationToken).ConfigureAwait(false);
                string arrived = await HashAsync(Path.Combine(inbox, Path.GetFileName(file)), cancellationToken).ConfigureAwait(false);
                return new DemoReply(
                    sender, receiver, sent.Path, sent.Address, sent.Bytes, arrived, arrived == sha256 && sent.Sha256 == sha256,
                    sent.MBps, Math.Round(Stopwatch.GetElapsedTime(begun).TotalSeconds, 1));
            }
        }
    }

    private static async Task<string> InitAsync(Executable self, string home, CancellationToken cancellationToken)
    {
        ChildProcess init = ChildProcess.Start("carrier init", self, "--home", home, "init", "--no-passphrase", "--json");
        await using (init.ConfigureAwait(false))
        {
            string[] lines = await init.LinesAsync(cancellationToken).ConfigureAwait(false);
            return Read<IdentityReply>(lines).TrustId;
        }
    }

    private static async Task<SentReply> SendAsync(Executable self, string home, string file, string peer, CancellationToken cancellationToken)
    {
        ChildProcess send = ChildProcess.Start("carrier send", self, "--home", home, "send", file, peer, "--json");
        await using (send.ConfigureAwait(false))
        {
            return Read<SentReply>(await send.LinesAsync(cancellationToken).ConfigureAwait(false));
        }
    }

    private static T Read<T>(string[] lines)
        where T : ControlReply =>
        lines.Length > 0 && JsonSerializer.Deserialize(lines[^1], ControlJson.Default.ControlReply) is T reply
            ? reply
            : throw new AgentException(ExitCode.Failure, "A command of the demo said nothing that was expected.");

    private static async Task<string> WriteRandomAsync(string path, int mebibytes, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = new byte[1024 * 1024];
        FileStream stream = File.Create(path);
        await using (stream.ConfigureAwait(false))
        {
            for (int i = 0; i < mebibytes; i++)
            {
                RandomNumberGenerator.Fill(block);
                hash.AppendData(block);
                await stream.WriteAsync(block, cancellationToken).ConfigureAwait(false);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        FileStream stream = File.OpenRead(path);
        await using (stream.ConfigureAwait(false))
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
