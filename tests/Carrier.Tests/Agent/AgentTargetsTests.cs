using System.Text;
using System.Text.Json;
using Carrier.Agent.Transfer;
using Carrier.Fuzz.Targets;

namespace Carrier.Tests.Agent;

/// <summary>The fuzz targets over golden bytes, every truncation, every change of one bit, and noise; and the golden bytes themselves.</summary>
public sealed class AgentTargetsTests
{
    private static readonly JsonElement Golden =
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "files.json"))).RootElement;

    private delegate void Target(ReadOnlySpan<byte> data);

    [Fact]
    public void Offer_encodes_to_the_vector() => Assert.Equal(Hex("offer"), AgentTargets.Create().Encode());

    [Fact]
    public void TransferId_is_the_vector() =>
        Assert.Equal(Golden.GetProperty("transfer_id").GetString(), TransferId.Of(TransferRig.Sender, Hex("offer")).ToString());

    [Fact]
    public void Acceptance_encodes_to_the_vector() =>
        Assert.Equal(Hex("acceptance"), new Acceptance(new Dictionary<int, long> { [2] = 65_536 }, new HashSet<int> { 0, 1 }).Encode());

    [Fact]
    public void Notice_encodes_to_the_vector()
    {
        byte[] buffer = new byte[TransferLimits.MaxNoticeBytes];
        Assert.Equal(Hex("entry"), buffer[..new Notice(MessageKind.Entry, 2, 65_536).Write(buffer)]);
        Assert.Equal(Hex("done"), buffer[..new Notice(MessageKind.Done).Write(buffer)]);
    }

    [Fact]
    public void Notice_of_the_longest_numbers_fits_its_bound()
    {
        byte[] buffer = new byte[TransferLimits.MaxNoticeBytes];
        int length = new Notice((MessageKind)255, int.MaxValue, long.MaxValue).Write(buffer);
        Assert.True(Notice.TryParse(buffer.AsSpan(0, length), out _));
    }

    [Fact]
    public async Task Sender_writes_the_stream_of_the_vector()
    {
        using var rig = new TransferRig();
        string path = rig.SourceFile("hello.txt", "hello"u8.ToArray());
        File.SetLastWriteTimeUtc(path, DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000).UtcDateTime);
        var pair = new DuplexPair();
        Task<SendOutcome> sending = new FileSender(TransferRig.Scan(path), TimeProvider.System).RunAsync(pair.Left, TestContext.Current.CancellationToken);
        var wire = new TransferPipe(pair.Right);
        await wire.WriteAsync(new Acceptance(new Dictionary<int, long>(), new HashSet<int>()).Encode(), TestContext.Current.CancellationToken);
        await wire.WriteAsync(new Notice(MessageKind.Verified), TestContext.Current.CancellationToken);
        await wire.WriteAsync(new Notice(MessageKind.Done), TestContext.Current.CancellationToken);

        Assert.True((await sending).IsDone);
        var written = new MemoryStream();
        await pair.Right.Input.CopyToAsync(written, TestContext.Current.CancellationToken);
        Assert.Equal(Hex("stream"), written.ToArray());
    }

    [Fact]
    public void Offers_holds() => Run(AgentTargets.Offers, Hex("offer"));

    [Fact]
    public void Acceptances_holds() => Run(AgentTargets.Acceptances, Hex("acceptance"));

    [Fact]
    public void Notices_holds() => Run(AgentTargets.Notices, Hex("entry"));

    [Fact]
    public void ControlRequests_holds() => Run(AgentTargets.ControlRequests, """{"op":"send","version":1,"peer":"0x00","path":"/a"}"""u8.ToArray());

    [Fact]
    public void ShownText_holds() => Run(AgentTargets.ShownText, Encoding.UTF8.GetBytes("a\u001B[31m\u202Egnp.exe\r\n\u0301\u200B\U0001F600"));

    private static byte[] Hex(string name) => Convert.FromHexString(Golden.GetProperty(name).GetString()!);

    private static void Run(Target target, byte[] golden)
    {
        target(golden);
        for (int length = 0; length < golden.Length; length++)
        {
            target(golden.AsSpan(0, length));
        }

        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] flipped = [.. golden];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            target(flipped);
        }

        for (int seed = 0; seed < 200; seed++)
        {
            target(TransferRig.RandomBytes(seed, seed));
        }
    }
}
