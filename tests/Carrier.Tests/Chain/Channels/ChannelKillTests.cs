using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Tests.Storage;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

/// <summary>Kills a real process in the middle of a stream of vouchers, ten times on either end (<see cref="LongRun"/>): nothing that was acknowledged or sent is missing from its disk.</summary>
public sealed class ChannelKillTests
{
    private static readonly int Kills = LongRun.Kills(10);
    private const int GroupsBeforeKill = 3;
    private const string ChildVariable = "CARRIER_TEST_CHANNEL_SIDE";

    [Fact]
    public async Task Payee_killed_has_every_voucher_it_acknowledged()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are Unix's.");
        using var folder = new TemporaryFolder();
        Sela acknowledged = Sela.Zero;
        for (int kill = 0; kill < Kills; kill++)
        {
            acknowledged = await KillAsync(ChannelRole.Payee, folder);
            ChannelRecord left = ReadOne(folder.File("payee.db"));
            Assert.True(left.Cumulative >= acknowledged, $"{acknowledged} was acknowledged and {left.Cumulative} is there");
            Assert.True(Payer.PublicKey.VerifyTransaction(Transactions.Close(left.Cumulative).EncodeUnsigned(), left.Voucher.Span));
        }

        Assert.True(acknowledged.Value > 0);
    }

    [Fact]
    public async Task Payer_killed_has_every_voucher_it_sent()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are Unix's.");
        using var folder = new TemporaryFolder();
        Sela received = Sela.Zero;
        for (int kill = 0; kill < Kills; kill++)
        {
            received = await KillAsync(ChannelRole.Payer, folder);
            ChannelRecord left = ReadOne(folder.File("payer.db"));
            Assert.True(left.Cumulative >= received, $"{received} was sent and {left.Cumulative} is there");
        }

        Assert.True(received.Value > 0);
    }

    /// <summary>Where the child begins: this assembly is started again with <see cref="ChildVariable"/> set, and never reaches the test runner.</summary>
    [ModuleInitializer]
    internal static void RunAsChild()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) is { } side)
        {
            string[] parts = side.Split('|');
            RunChild(Enum.Parse<ChannelRole>(parts[0]), parts[1]);
            Environment.Exit(0);
        }
    }

    /// <summary>On this thread alone: while a module initialises, no other thread gets into it.</summary>
    private static void RunChild(ChannelRole role, string file)
    {
        using ChannelStore store = ChannelStore.Open(file);
        using ChannelSide machine = Machine(role, store);
        using Stream input = Console.OpenStandardInput();
        using Stream output = Console.OpenStandardOutput();
        machine.Connected();
        Act(machine, store, output);
        byte[] buffer = new byte[1 << 16];
        int filled = 0;
        while (true)
        {
            if (machine is PayerChannel payer)
            {
                for (int i = 0; i < 8; i++)
                {
                    _ = payer.TryPay(new Sela(1));
                }
            }
            else
            {
                int read = input.Read(buffer, filled, buffer.Length - filled);
                if (read == 0)
                {
                    return;
                }

                filled = HandleAll(machine, buffer, filled + read);
            }

            Act(machine, store, output);
        }
    }

    /// <summary>Hands over every whole message and moves the rest to the front.</summary>
    private static int HandleAll(ChannelSide machine, byte[] buffer, int filled)
    {
        int at = 0;
        while (filled - at >= ChannelCodec.LengthBytes)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(at));
            if (filled - at < ChannelCodec.LengthBytes + length)
            {
                break;
            }

            if (ChannelCodec.TryRead(buffer.AsSpan(at + ChannelCodec.LengthBytes, length), out ChannelMessage? message))
            {
                _ = machine.Handle(message);
            }

            at += ChannelCodec.LengthBytes + length;
        }

        buffer.AsSpan(at, filled - at).CopyTo(buffer);
        return filled - at;
    }

    private static void Act(ChannelSide machine, ChannelStore store, Stream output)
    {
        byte[] frame = new byte[ChannelCodec.LengthBytes + ChannelLimits.MaxMessageBytes];
        while (machine.TryEffect(out ChannelEffect? effect))
        {
            if (effect is PersistEffect persist)
            {
                store.Write(persist.Record);
                machine.Persisted(persist.Ticket);
            }
            else if (effect is SendEffect send)
            {
                output.Write(frame, 0, ChannelCodec.WriteFramed(send.Message, frame));
            }
        }
    }

    private static ChannelSide Machine(ChannelRole role, ChannelStore store)
    {
        ChannelRecord record = store.ReadAll().SingleOrDefault() ?? OpenRecord(role);
        return role == ChannelRole.Payer
            ? new PayerChannel(record, Payer, new PayerPolicy { PrepaidWindow = Terms.Capacity })
            : new PayeeChannel(record, Payee, Policy);
    }

    /// <summary>Runs one end in a child and the other here, and kills the child after a few groups of vouchers.</summary>
    /// <returns>What this end knows the child must have: acknowledged by a payee, sent by a payer.</returns>
    private static async Task<Sela> KillAsync(ChannelRole childRole, TemporaryFolder folder)
    {
        string childFile = folder.File(childRole == ChannelRole.Payee ? "payee.db" : "payer.db");
        string ownFile = folder.File(childRole == ChannelRole.Payee ? "payer.db" : "payee.db");
        ChannelRole ownRole = childRole == ChannelRole.Payee ? ChannelRole.Payer : ChannelRole.Payee;
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Carrier.Tests")) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment[ChildVariable] = $"{childRole}|{childFile}";
        using Process child = Process.Start(start)!;
        var pipe = new StandardPipe(PipeReader.Create(child.StandardOutput.BaseStream), PipeWriter.Create(child.StandardInput.BaseStream));
        Sela known = Sela.Zero;
        int groups = 0;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await RunSideAsync(
            ownRole,
            ownFile,
            pipe,
            record =>
            {
                Sela now = childRole == ChannelRole.Payee ? record.Acknowledged : record.Cumulative;
                groups += now > known ? 1 : 0;
                known = now;
                if (groups == GroupsBeforeKill)
                {
                    child.Kill(); // SIGKILL; what it wrote to its output before still arrives
                }
            },
            stop.Token);
        await child.WaitForExitAsync(stop.Token);
        Assert.NotEqual(0, child.ExitCode);
        return known;
    }

    private static async Task RunSideAsync(ChannelRole role, string file, IDuplexPipe pipe, Action<ChannelRecord> look, CancellationToken cancellationToken)
    {
        using ChannelStore store = ChannelStore.Open(file);
        using ChannelSide machine = Machine(role, store);
        using var talk = new ChannelShell(machine, store, static _ => default);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task paying = machine is PayerChannel payer ? PayAsync(talk, payer, done.Token) : Task.CompletedTask;
        try
        {
            talk.Handled += (_, _) => look(machine.Record);
            await talk.RunAsync(pipe, cancellationToken);
        }
        catch (IOException)
        {
            // The other end was killed.
        }

        await done.CancelAsync();
        await paying;
        look(machine.Record);
    }

    /// <summary>Small payments for as long as somebody takes them.</summary>
    private static async Task PayAsync(ChannelShell talk, PayerChannel payer, CancellationToken cancellationToken)
    {
        try
        {
            while ((await talk.PayAsync(payer, new Sela(1), 8, cancellationToken)).Paid > 0)
            {
                await Task.Yield();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
        {
            // The conversation is over.
        }
    }

    private static ChannelRecord ReadOne(string file)
    {
        using ChannelStore store = ChannelStore.Open(file);
        return Assert.Single(store.ReadAll());
    }

    private sealed record StandardPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
