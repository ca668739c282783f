using System.Globalization;
using Carrier.Benchmarks.Transports;
using Carrier.Core.Session.Recovery;

namespace Carrier.Benchmarks;

/// <summary>The command line of carrier-bench.</summary>
internal sealed record BenchOptions
{
    public const string Usage = """
        carrier-bench session [--transport T] [--cipher C] [--no-gso] [--spin] [--rounds N] [--bytes B] [--pings N] [--handshakes N]
            T against SslStream, a bare UDP ping and the floor of kernel and cipher, interleaved, each side on its own core; one line of JSON. --spin has
            Carrier's network threads look for work for 50 µs before they sleep.
        carrier-bench handshakes [--parallel N] [--flood] [--rounds N] [--handshakes N] [--cipher C] [--no-gso]
            Dials one device again and again, N dials at a time (1), each side on its own core; with --flood also while 50,000 spoofed first messages a second
            come to it. One line of JSON, exit code 1 when a bar is missed.
        carrier-bench many [share|idle|streams] [--cipher C] [--no-gso]
            100 sessions of 4 streams against one stream; 10,000 idle sessions; 1,000 streams opened and closed 100 times. All three unless one is named,
            each one line of JSON; exit code 1 when a bar is missed.
        carrier-bench raw [--rounds N] [--bytes B] [--pings N] [--handshakes N]
            The yardsticks alone: SslStream over TCP, a bare UDP ping, the kernel's segmented UDP.
        carrier-bench peer server [--transport T] [--cipher C] [--no-gso] [--ends-with-input]
            Prints "READY ARG" and serves until it is killed; with --ends-with-input, until its input closes.
        carrier-bench peer client ARG BYTES PINGS HANDSHAKES [--transport T] [--cipher C] [--no-gso] [--details]
            Measures against that server; one line of JSON. --details adds allocations and collections.
        carrier-bench seed PROGRAM [CLIENTS]
            Starts PROGRAM, a carrier-seed, has CLIENTS devices register there (1000), and says what memory it holds then; one line of JSON.
        carrier-bench flood PROGRAM [--seconds N]
            Starts PROGRAM, a carrier-seed, and floods it for N seconds (60) with random, mutated and replayed datagrams; one line of JSON, and exit code 1
            when it crashed, grew, answered more than it was asked, let a replay have an effect, or let a dial beside the flood take over two seconds.
        carrier-bench relay PROGRAM [rate|idle|budget] [--rounds N] [--no-gso]
            Starts PROGRAM, a carrier-seed, as a relay: what it forwards a second against a bare loop of recvmmsg and sendmmsg given the same datagrams on
            the same core; its memory with 10,000 idle reservations; one client at ten times its budget beside seven within theirs. All three unless one is
            named, each in lines of JSON; exit code 1 when a bar is missed.
        carrier-bench soak [--bytes B]
            One session in virtual time: ten times B (10 GiB) under key updates, an idle hour, and data again; one line of JSON, exit code 1 when it did not live.
        carrier-bench headers [N]
            Judges and saves N chain headers (100000) with merged-mining proofs of depth 0 to 4; one line of JSON.
        carrier-bench link receive ADDRESS [--cipher C]
            A seed and a device bound to ADDRESS; prints "READY ARG" and takes what is sent until its input closes.
        carrier-bench link send ARG ADDRESS [--seconds N | --bytes B] [--sessions N] [--congestion cubic|bbr] [--cipher C]
            Sends from ADDRESS over N sessions at once; prints READY, waits for a line, then one line of JSON a session. tests/lab drives both.
        carrier-bench vouchers [N]
            Streams N vouchers (1000000) through one channel, two stores on disk, and settles it on the devnet's ledger; one line of JSON.
        carrier-bench channels [--schedules N] [--seed S] [--naive]
            Runs N adversarial schedules of a payment channel (10000) from seed S on (1); every seed in which an honest side lost too much is printed.
            --naive takes the textbook's refund instead: it must lose. One line of JSON at the end; exit code 1 if a schedule failed.
        T is carrier (the default) or sslstream; C is Aegis128L, Aes256Gcm or ChaCha20Poly1305. Sizes are in bytes.
        """;

    public string Command { get; private init; } = "";

    /// <summary>What follows the command and is no option: of <c>peer client</c>, ARG first.</summary>
    public IReadOnlyList<string> Arguments { get; private init; } = [];

    public string Transport { get; private init; } = "carrier";

    public string? Cipher { get; private init; }

    public bool NoGso { get; private init; }

    /// <summary>Whether Carrier's network threads spin before they sleep.</summary>
    public bool Spin { get; private init; }

    public bool Details { get; private init; }

    /// <summary>Whether to measure under a flood as well.</summary>
    public bool Flood { get; private init; }

    /// <summary>Dials under way at once.</summary>
    public int Parallel { get; private init; } = 1;

    /// <summary>Whether a server stops when its standard input closes, as it does when the process that started it is gone.</summary>
    public bool EndsWithInput { get; private init; }

    public int Rounds { get; private init; } = 5;

    public long Bytes { get; private init; } = 1L << 30;

    public int Seconds { get; init; }

    public int Sessions { get; private init; } = 1;

    public CongestionControl Congestion { get; private init; }

    public int Pings { get; private init; } = 10_000;

    public int Handshakes { get; private init; } = 200;

    /// <summary>How many adversarial schedules to run.</summary>
    public int Schedules { get; private init; } = 10_000;

    /// <summary>The seed of the first schedule.</summary>
    public long Seed { get; private init; } = 1;

    /// <summary>Whether the channel under test has the textbook's refund.</summary>
    public bool Naive { get; private init; }

    /// <summary>The options a child process needs to make the same transport.</summary>
    public IEnumerable<string> TransportOptions =>
    [
        .. Cipher is null ? Array.Empty<string>() : ["--cipher", Cipher],
        .. NoGso ? ["--no-gso"] : Array.Empty<string>(),
        .. Spin ? ["--spin"] : Array.Empty<string>(),
    ];

    public static bool TryParse(string[] args, out BenchOptions options, out string? error)
    {
        options = new BenchOptions();
        error = null;
        List<string> words = [];
        for (int i = 0; i < args.Length; i++)
        {
            string word = args[i];
            if (!word.StartsWith("--", StringComparison.Ordinal))
            {
                words.Add(word);
            }
            else if (word is "--no-gso")
            {
                options = options with { NoGso = true };
            }
            else if (word is "--spin")
            {
                options = options with { Spin = true };
            }
            else if (word is "--naive")
            {
                options = options with { Naive = true };
            }
            else if (word is "--details")
            {
                options = options with { Details = true };
            }
            else if (word is "--flood")
            {
                options = options with { Flood = true };
            }
            else if (word is "--ends-with-input")
            {
                options = options with { EndsWithInput = true };
            }
            else if (i + 1 == args.Length || !options.TryWith(word, args[++i], out options))
            {
                error = $"{word}: no such option, or a value it does not take.";
                return false;
            }
        }

        int commandWords = words is ["peer" or "yardstick" or "link" or "handshakes", _, ..] or ["many", _, _, ..] or ["many", "server"] ? 2 : Math.Min(words.Count, 1);
        options = options with { Command = string.Join(' ', words.Take(commandWords)), Arguments = [.. words.Skip(commandWords)] };
        return options.Command != "peer client" || options.TryTakeClientNumbers(out options, out error);
    }

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private bool TryWith(string name, string value, out BenchOptions options)
    {
        bool isNumber = TryNumber(value, out long number) && number <= int.MaxValue;
        options = name switch
        {
            "--transport" when TransportUnderTest.Names.Contains(value) => this with { Transport = value },
            "--cipher" => this with { Cipher = value },
            "--bytes" when TryNumber(value, out long bytes) => this with { Bytes = bytes },
            "--rounds" when isNumber && number > 0 => this with { Rounds = (int)number },
            "--seconds" when isNumber => this with { Seconds = (int)number },
            "--sessions" when isNumber && number > 0 => this with { Sessions = (int)number },
            "--congestion" when Enum.TryParse(value, ignoreCase: true, out CongestionControl congestion) => this with { Congestion = congestion },
            "--parallel" when isNumber && number > 0 => this with { Parallel = (int)number },
            "--pings" when isNumber => this with { Pings = (int)number },
            "--handshakes" when isNumber => this with { Handshakes = (int)number },
            "--schedules" when isNumber && number > 0 => this with { Schedules = (int)number },
            "--seed" when TryNumber(value, out long seed) => this with { Seed = seed },
            _ => this,
        };
        return !ReferenceEquals(options, this);
    }

    private bool TryTakeClientNumbers(out BenchOptions options, out string? error)
    {
        options = this;
        error = "peer client takes ARG BYTES PINGS HANDSHAKES.";
        if (Arguments.Count != 4 || !TryNumber(Arguments[1], out long bytes) || !TryNumber(Arguments[2], out long pings)
            || !TryNumber(Arguments[3], out long handshakes) || pings > int.MaxValue || handshakes > int.MaxValue)
        {
            return false;
        }

        options = this with { Bytes = bytes, Pings = (int)pings, Handshakes = (int)handshakes };
        error = null;
        return true;
    }
}
