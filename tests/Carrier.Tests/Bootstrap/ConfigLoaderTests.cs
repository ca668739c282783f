using System.Collections;
using System.Net;
using Carrier.Core;
using Carrier.Seed.Configuration;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Bootstrap;

public sealed class ConfigLoaderTests : IDisposable
{
    private const string KeyA = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private const string SeedA = KeyA + "@192.0.2.1:4242";
    private const string SeedB = KeyA + "@seed.example:4243";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TryLoad_of_nothing_is_the_defaults_the_help_states()
    {
        SeedConfig config = Load();

        Assert.Equal(new IPEndPoint(IPAddress.Any, 4242), config.Listen);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 9090), config.Http);
        Assert.Equal("/var/lib/carrier-seed", config.State);
        Assert.Null(config.Advertise);
        Assert.Equal(LogFormat.Text, config.Log);
        foreach (Setting setting in Setting.All.Where(setting => setting.Description.Contains("Default ", StringComparison.Ordinal)))
        {
            string stated = setting.Description.Split("Default ")[1].TrimEnd('.');
            SeedConfig? applied = setting.Apply(config, stated);
            Assert.NotNull(applied);
            Assert.Equal(config, applied with { Seeds = config.Seeds });
        }
    }

    [Fact]
    public void TryLoad_takes_flag_before_variable_before_file()
    {
        string file = Write("""{ "listen": "127.0.0.1:1", "drain": 11, "log": "json", "seed": ["%A", "%B"], }""".Replace("%A", SeedA, StringComparison.Ordinal).Replace("%B", SeedB, StringComparison.Ordinal));
        Hashtable environment = new() { ["CARRIER_SEED_LISTEN"] = "127.0.0.1:2", ["CARRIER_SEED_DRAIN"] = "12" };

        SeedConfig config = Load(file, environment, ("listen", ["127.0.0.1:3"]));

        Assert.Equal(3, config.Listen.Port);
        Assert.Equal(TimeSpan.FromSeconds(12), config.Drain);
        Assert.Equal(LogFormat.Json, config.Log);
        Assert.Equal([SeedA, SeedB], config.Seeds.Select(seed => seed.ToString()));
    }

    [Fact]
    public void TryLoad_of_a_list_replaces_the_list_of_a_lesser_source()
    {
        string file = Write($$"""{ "seed": "{{SeedA}}" }""");
        Hashtable environment = new() { ["CARRIER_SEED_SEED"] = $"{SeedB}, {SeedA}" };

        Assert.Equal([SeedA], Load(file).Seeds.Select(seed => seed.ToString()));
        Assert.Equal([SeedB, SeedA], Load(file, environment).Seeds.Select(seed => seed.ToString()));
        Assert.Equal([SeedB], Load(file, environment, ("seed", [SeedB])).Seeds.Select(seed => seed.ToString()));
    }

    [Fact]
    public void TryLoad_reads_the_file_the_environment_names()
    {
        Hashtable environment = new() { ["CARRIER_SEED_CONFIG"] = Write("""{ "http": "none" /* no pages */ }""") };

        Assert.Null(Load(null, environment).Http);
    }

    [Theory]
    [InlineData("""{ "lissten": "127.0.0.1:1" }""", "unknown key \"lissten\"")]
    [InlineData("""{ "listen": "here" }""", "\"listen\" in ")]
    [InlineData("""{ "listen": ["127.0.0.1:1", "127.0.0.1:2"] }""", "takes one value")]
    [InlineData("""{ "listen": true }""", "\"listen\" should be ip:port")]
    [InlineData("""{ "listen": "127.0.0.1:1", "listen": "127.0.0.1:2" }""", "listen")]
    [InlineData("""{ "seed": ["x@y:1"] }""", "'x@y:1'; it should be key@host:port")]
    [InlineData("""[]""", "not one JSON object")]
    [InlineData("""{ "listen" """, "seed.json")]
    public void TryLoad_of_a_wrong_file_says_what_is_wrong_in_it(string contents, string said)
    {
        Assert.Contains(said, Refusal(Write(contents), []), StringComparison.Ordinal);
    }

    [Fact]
    public void TryLoad_of_a_file_that_is_not_there_says_so()
    {
        Assert.Contains("none.json", Refusal(_folder.File("none.json"), []), StringComparison.Ordinal);
    }

    [Fact]
    public void TryLoad_of_an_unknown_variable_names_it()
    {
        Assert.Contains("CARRIER_SEED_LISTN", Refusal(null, new() { ["CARRIER_SEED_LISTN"] = "127.0.0.1:1" }), StringComparison.Ordinal);
        Assert.Contains("CARRIER_SEED_HTTP is 'x'", Refusal(null, new() { ["CARRIER_SEED_HTTP"] = "x" }), StringComparison.Ordinal);
    }

    [Fact]
    public void TryLoad_leaves_variables_of_others_alone()
    {
        Hashtable environment = new()
        {
            ["PATH"] = "/bin",
            ["CARRIER_SEED_EXE"] = "/opt/carrier-seed",
            ["CARRIER_SEED_SERVICE_HOST"] = "10.0.0.1",
            ["CARRIER_SEED_PORT_4242_UDP"] = "udp://10.0.0.1:4242",
        };

        Assert.Equal(new SeedConfig().Listen, Load(null, environment).Listen);
    }

    [Theory]
    [InlineData("500k", 5e5)]
    [InlineData("64M", 64e6)]
    [InlineData("2G", 2e9)]
    [InlineData("20000", 2e4)]
    public void Relay_rates_are_bytes_a_second(string text, double expected)
    {
        Assert.Equal(expected, Load(null, null, ("relay-total", [text])).Relay.Global.PerSecond);
    }

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-1")]
    [InlineData("64MB")]
    [InlineData("1k")] // below one packet a bucket: nothing would pass
    public void Relay_rates_that_make_no_sense_are_refused(string text)
    {
        Assert.Contains("--relay-total", Refusal(null, [], ("relay-total", [text])), StringComparison.Ordinal);
    }

    [Fact]
    public void Relay_rate_unlimited_is_none()
    {
        Assert.Equal(TokenRate.Unlimited, Load(null, null, ("relay-channel", ["unlimited"])).Relay.Channel);
    }

    private static Dictionary<string, GivenValue> Flags((string Name, string[] Values)[] flags) =>
        flags.ToDictionary(flag => flag.Name, flag => new GivenValue("--" + flag.Name, flag.Values));

    private static string Refusal(string? file, Hashtable environment, params (string Name, string[] Values)[] flags)
    {
        Assert.False(ConfigLoader.TryLoad(file, environment, Flags(flags), out _, out string error));
        return error;
    }

    private static SeedConfig Load(string? file = null, IDictionary? environment = null, params (string Name, string[] Values)[] flags)
    {
        Assert.True(ConfigLoader.TryLoad(file, environment ?? new Hashtable(), Flags(flags), out SeedConfig? config, out string error), error);
        return config;
    }

    private string Write(string contents)
    {
        string path = _folder.File("seed.json");
        File.WriteAllText(path, contents);
        return path;
    }
}
