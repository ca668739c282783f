using Carrier.Agent.Commands;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Core.Identity;

namespace Carrier.Tests.Agent;

/// <summary>What commands print and how their lines are read.</summary>
public sealed class CommandTests
{
    [Theory]
    [InlineData("status --json")]
    [InlineData("ping 0xE94b04a0FeD112f3664e45adb2B8915693d05FF3 -c 1 --json --home /x")]
    [InlineData("--home /x up --seed a --seed b --allow all --dir /y --listen 127.0.0.1:0")]
    [InlineData("send - EXYKTBtWKyFFVLmYww3bQeifQBsTHDG4oY --name a")]
    [InlineData("receive --once --allow all")]
    [InlineData("init --restore --no-passphrase")]
    [InlineData("demo --json")]
    public void Lines_of_the_manual_parse(string line) => Assert.Empty(CarrierCommand.Build().Parse(line).Errors);

    [Theory]
    [InlineData("ping")]
    [InlineData("ping x -c -1")]
    [InlineData("send a")]
    [InlineData("fly")]
    public async Task Wrong_lines_are_usage(string line) =>
        Assert.Equal((int)ExitCode.Usage, await CarrierCommand.RunAsync(line.Split(' '), TextWriter.Null));

    [Fact]
    public void SafeText_shows_nothing_a_terminal_obeys()
    {
        Assert.Equal("a<U+001B>[2Jb<U+000A>", SafeText.Of("a\u001B[2Jb\n"));
        Assert.Equal("<U+202E>gpj.exe", SafeText.Of("\u202Egpj.exe"));
        Assert.Equal("<U+009B>31m", SafeText.Of("\u009B31m"));
        Assert.Equal("caf\u00E9 \U0001F600", SafeText.Of("caf\u00E9 \U0001F600"));
        Assert.Equal(SafeText.MaxRunes + 1, SafeText.Of(new string('a', 10_000)).Length);
    }

    [Fact]
    public void Peer_given_names_reach_no_output_raw()
    {
        const string Hostile = "x\u001B]0;owned\u0007\u202E";
        var output = new StringWriter();
        var presenter = new TextPresenter(output, isTerminal: false);
        presenter.Say(new AskReply(1, TrustIdText, Hostile, 1, 10));
        presenter.Say(new ReceivedReply(TrustIdText, Hostile, null, 0, null, "NotAllowed"));
        presenter.Say(new ReceivedReply(TrustIdText, Hostile, "/a/" + Hostile, 0, null, null));
        presenter.Say(new ProgressReply(5, 10, Hostile));

        string text = output.ToString();
        Assert.DoesNotContain('\u001B', text);
        Assert.DoesNotContain('\u0007', text);
        Assert.DoesNotContain('\u202E', text);
        Assert.DoesNotContain('\u001B', ControlJson.Line(new AskReply(1, TrustIdText, Hostile, 1, 10)));
    }

    [Fact]
    public void Json_lines_have_the_names_scripts_rely_on()
    {
        Assert.Equal(
            """{"type":"sent","sha256":"00","path":"direct","address":"a","firstByteMs":1.5,"directMs":1.7,"bytes":2,"resumedBytes":0,"MBps":3}""",
            ControlJson.Line(new SentReply("00", "direct", "a", 1.5, 1.7, 2, 0, 3)));
        Assert.Equal(
            """{"type":"ping","sequence":1,"path":"relay","address":"a","rttMs":1,"dialMs":2}""",
            ControlJson.Line(new PingReply(1, "relay", "a", 1, 2)));
        Assert.Equal("""{"type":"end","exitCode":3,"message":"m"}""", ControlJson.Line(new EndReply(ExitCode.NoAgent, "m")));
    }

    private static string TrustIdText => new TrustId(new byte[TrustId.Bytes]).ToString();
}
