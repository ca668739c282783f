using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Chain.Transactions;

namespace Carrier.Tests.Chain;

/// <summary>The recorded peer sessions, replayed frame by frame over real loopback TCP; then peers that misbehave.</summary>
public class SpvTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly IReadOnlyList<JsonElement> Lines = ChainVectors.Lines("spv.jsonl");

    [Fact]
    public void Filters_have_the_recorded_bits()
    {
        int checkedFilters = 0;
        foreach (JsonElement head in Lines.Where(line => line.TryGetProperty("filter", out JsonElement f) && f.ValueKind == JsonValueKind.Object && f.GetProperty("items").GetArrayLength() > 0))
        {
            JsonElement recorded = head.GetProperty("filter");
            BloomFilter filter = FilterOf(recorded);
            Assert.Equal(recorded.Text("bits"), Convert.ToHexStringLower(filter.Bits));
            Assert.All(recorded.GetProperty("items").EnumerateArray(), item => Assert.True(filter.Contains(Convert.FromHexString(item.GetString()!))));
            checkedFilters++;
        }

        Assert.True(checkedFilters >= 4);
    }

    [Fact]
    public void Recorded_frames_read_and_encode_byte_for_byte()
    {
        foreach (JsonElement line in Lines.Where(l => l.TryGetProperty("frame", out JsonElement f) && f.GetString()!.Length > 0 && l.Text("session") is not ("wrong_magic" or "bad_checksum")))
        {
            byte[] frame = line.Hex("frame");
            Assert.Equal(FrameReading.Read, PeerFrame.TryReadHeader(frame, Magic, out string command, out int length));
            Assert.Equal((line.Text("command"), frame.Length - PeerFrame.HeaderBytes), (command, length));
            Assert.True(PeerFrame.IsIntact(frame, frame.AsSpan(PeerFrame.HeaderBytes)));
            Assert.Equal(frame, PeerFrame.Encode(Magic, command, frame.AsSpan(PeerFrame.HeaderBytes)));
        }
    }

    [Theory]
    [InlineData("wrong_magic")]
    [InlineData("bad_checksum")]
    public void Frames_a_node_hangs_up_on_are_refused_here_too(string session)
    {
        byte[] frame = Messages(session)[0].Hex("frame");
        bool read = PeerFrame.TryReadHeader(frame, Magic, out _, out _) == FrameReading.Read;
        Assert.False(read && PeerFrame.IsIntact(frame, frame.AsSpan(PeerFrame.HeaderBytes)));
    }

    [Fact]
    public async Task Scan_session_replays_and_every_header_and_match_is_proved()
    {
        JsonElement head = Head("scan");
        await using var peer = new ScriptedPeer(Messages("scan"));
        using SpvConnection connection = await OpenAsync(peer, "scan");
        await connection.LoadFilterAsync(FilterOf(head.GetProperty("filter")), CancellationToken.None);
        HeaderChain chain = ForgedChain.New();
        AccountSightings[] accounts = [.. Owners(head).Select(owner => new AccountSightings(owner))];
        Dictionary<string, string[]> matched = [];
        Dictionary<string, string[]> relevant = [];
        var hashes = await connection.BlocksAfterAsync([.. chain.Locator()], CancellationToken.None);
        await foreach (FilteredBlock block in connection.FilteredBlocksAsync(hashes, CancellationToken.None))
        {
            byte[] core = new byte[BlockHeader.Bytes];
            block.Block.Header.CopyTo(core);
            Assert.Equal(HeaderStep.Extended, chain.Add(core, block.Block.Proof.Span, ForgedChain.Now).Step);
            Assert.Empty(block.Unreadable);
            Assert.All(block.Proved, proved => Assert.True(proved.IsSound));
            string height = block.Block.Header.Height.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (block.Proved.Length > 0)
            {
                matched[height] = [.. block.Transactions.Select(transaction => transaction.Id.ToString())];
            }

            string[] ours = [.. block.Proved.Where(proved => Array.ConvertAll(accounts, account => account.Take(proved)).Contains(true)).Select(proved => proved.Transaction.Id.ToString())];
            if (ours.Length > 0)
            {
                relevant[height] = ours;
            }
        }

        JsonElement expect = head.GetProperty("expect");
        AssertSame(expect.GetProperty("matched"), matched);
        AssertSame(expect.GetProperty("relevant"), relevant);
        Assert.True(chain.Tip.Header.Height >= 180);
        await peer.EndAsync();
    }

    [Fact]
    public async Task Sightings_of_a_scan_leave_the_coins_the_full_blocks_hold()
    {
        JsonElement head = Head("scan");
        await using var peer = new ScriptedPeer(Messages("scan"));
        using SpvConnection connection = await OpenAsync(peer, "scan");
        await connection.LoadFilterAsync(FilterOf(head.GetProperty("filter")), CancellationToken.None);
        var hashes = await connection.BlocksAfterAsync([ForgedChain.New().Tip.Hash], CancellationToken.None);
        AccountSightings[] accounts = [.. Owners(head).Select(owner => new AccountSightings(owner))];
        await foreach (FilteredBlock block in connection.FilteredBlocksAsync(hashes, CancellationToken.None))
        {
            foreach (AccountSightings account in accounts)
            {
                Assert.True(block.Proved.Count(account.Take) <= block.Proved.Length);
            }
        }

        Dictionary<OutPoint, Sela> truth = [];
        foreach (Transaction transaction in FixtureNode.RecordedBlocks().Take(hashes.Length + 1).SelectMany(block => block.Transactions))
        {
            foreach (TransactionInput input in transaction.Inputs)
            {
                truth.Remove(input.Previous);
            }

            foreach ((int i, TransactionOutput output) in transaction.Outputs.Index().Where(o => Owners(head).Contains(o.Item.Owner)))
            {
                truth.Add(new OutPoint(transaction.Id, (ushort)i), output.Value);
            }
        }

        Assert.NotEmpty(truth);
        Assert.Equal(
            truth.OrderBy(coin => coin.Key.ToString(), StringComparer.Ordinal),
            accounts.SelectMany(account => account.Coins()).ToDictionary(coin => coin.OutPoint, coin => coin.Output.Value).OrderBy(coin => coin.Key.ToString(), StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("outpoint")]
    [InlineData("match_all")]
    [InlineData("incremental")]
    public async Task Filtered_blocks_of_the_session_are_proved_and_match_the_record(string session)
    {
        JsonElement head = Head(session);
        Dictionary<string, List<string>> matched = [];
        IReadOnlyList<JsonElement> messages = Messages(session);
        for (int i = 0; i < messages.Count; i++)
        {
            if (messages[i].Text("command") != "merkleblock")
            {
                continue;
            }

            Assert.True(MerkleBlock.TryParse(Payload(messages[i]), out MerkleBlock? block));
            foreach (MatchedTransaction match in block!.Matches)
            {
                Transaction transaction = ChainVectors.Parse(Payload(messages[++i]));
                Assert.Equal(match.Id, transaction.Id);
                string height = block.Header.Height.ToString(System.Globalization.CultureInfo.InvariantCulture);
                (matched.TryGetValue(height, out List<string>? ids) ? ids : matched[height] = []).Add(match.Id.ToString());
            }
        }

        AssertSame(head.GetProperty("expect").GetProperty("matched"), matched.ToDictionary(pair => pair.Key, pair => pair.Value.ToArray()));
        await Task.CompletedTask;
    }

    [Fact]
    public async Task Send_session_replays_with_its_four_reasons()
    {
        JsonElement head = Head("send");
        IReadOnlyList<JsonElement> messages = Messages("send");
        await using var peer = new ScriptedPeer(messages);
        using SpvConnection connection = await OpenAsync(peer, "send");
        string[] refused = [.. head.GetProperty("expect").GetProperty("rejected").EnumerateArray().Select(r => r.Text("txid"))];
        foreach (JsonElement sent in messages.Where(m => m.Text("dir") == "out" && m.Text("command") == "tx"))
        {
            Transaction transaction = ChainVectors.Parse(Payload(sent));
            byte[] frame = PeerFrame.Encode(Magic, "tx", transaction.Encode());
            Assert.Equal(sent.Hex("frame"), frame);
        }

        foreach (JsonElement rejected in messages.Where(m => m.Text("command") == "reject"))
        {
            Assert.True(PeerMessages.TryReadReject(Payload(rejected), out PeerReject reject));
            Assert.Contains(reject.Hash.ToString(), refused);
            Assert.NotEqual(Carrier.Chain.Access.SendOutcome.Accepted, Carrier.Chain.Access.SendOutcomes.OfMessage(reject.Reason));
        }
    }

    [Fact]
    public void Partial_trees_survive_every_truncation_and_bit_flip()
    {
        JsonElement line = Messages("match_all").First(m => m.Text("command") == "merkleblock");
        byte[] payload = Payload(line);
        for (int length = 0; length < payload.Length; length++)
        {
            Assert.False(MerkleBlock.TryParse(payload.AsSpan(0, length), out _));
        }

        Assert.True(MerkleBlock.TryParse(payload, out MerkleBlock? good));
        int tree = payload.Length - 60;
        for (int bit = tree * 8; bit < payload.Length * 8; bit++)
        {
            byte[] flipped = [.. payload];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            if (MerkleBlock.TryParse(flipped, out MerkleBlock? other))
            {
                Assert.NotEqual(good!.Matches.AsEnumerable(), other!.Matches);
            }
        }
    }

    [Theory]
    [InlineData("silent", SpvFault.TimedOut)]
    [InlineData("hangup", SpvFault.Unreachable)]
    [InlineData("magic", SpvFault.Malformed)]
    [InlineData("checksum", SpvFault.Malformed)]
    [InlineData("huge", SpvFault.Malformed)]
    [InlineData("flood", SpvFault.Flood)]
    [InlineData("garbage", SpvFault.Malformed)]
    public async Task Hostile_peer_costs_time_only(string kind, SpvFault fault)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = MisbehaveAsync(listener, kind);
        using (SpvConnection connection = await SpvConnection.ConnectAsync(
            "127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port, HeaderTests.Network() with { Magic = Magic }, TimeSpan.FromSeconds(kind == "silent" ? 1 : 10), CancellationToken.None))
        {
            SpvException e = await Assert.ThrowsAsync<SpvException>(() => connection.HandshakeAsync(1, 2, 3, CancellationToken.None));
            Assert.Equal(fault, e.Fault);
        }

        await serving;
    }

    private static ProgramHash[] Owners(JsonElement head) => [.. head.GetProperty("filter").GetProperty("items").EnumerateArray()
        .Select(item => ProgramHash.TryFromBytes(Convert.FromHexString(item.GetString()!), out ProgramHash hash) ? hash : default)];

    private static uint Magic => (uint)Head("scan").Number("magic");

    private static JsonElement Head(string session) => Lines.Single(line => line.Text("session") == session && line.TryGetProperty("title", out _));

    private static IReadOnlyList<JsonElement> Messages(string session) => [.. Lines.Where(line => line.Text("session") == session && line.TryGetProperty("n", out _))];

    private static byte[] Payload(JsonElement message) => message.Hex("frame")[PeerFrame.HeaderBytes..];

    private static BloomFilter FilterOf(JsonElement recorded)
    {
        var filter = new BloomFilter((int)recorded.Number("size"), (uint)recorded.Number("hash_functions"), (uint)recorded.Number("tweak"));
        foreach (JsonElement item in recorded.GetProperty("items").EnumerateArray())
        {
            filter.Add(Convert.FromHexString(item.GetString()!));
        }

        return filter;
    }

    /// <summary>Connects and shakes hands with exactly the recorded version.</summary>
    private static async Task<SpvConnection> OpenAsync(ScriptedPeer peer, string session)
    {
        byte[] version = Payload(Messages(session)[0]);
        SpvConnection connection = await SpvConnection.ConnectAsync("127.0.0.1", peer.Port, HeaderTests.Network() with { Magic = Magic }, Patience, CancellationToken.None);
        await connection.HandshakeAsync(BitConverter.ToUInt32(version, 12), BitConverter.ToUInt64(version, 18), BitConverter.ToUInt64(version, 26), CancellationToken.None);
        return connection;
    }

    private static void AssertSame(JsonElement recorded, Dictionary<string, string[]> found)
    {
        Assert.Equal(recorded.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal), found.Keys.Order(StringComparer.Ordinal));
        foreach (JsonProperty property in recorded.EnumerateObject())
        {
            Assert.Equal(property.Value.EnumerateArray().Select(id => id.GetString()!).Order(StringComparer.Ordinal), found[property.Name].Order(StringComparer.Ordinal));
        }
    }

    private static async Task MisbehaveAsync(TcpListener listener, string kind)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        NetworkStream stream = client.GetStream();
        byte[] frame = PeerFrame.Encode(Magic, "verack", []);
        try
        {
            switch (kind)
            {
                case "silent":
                    await Task.Delay(1500);
                    break;
                case "hangup":
                    await stream.WriteAsync(frame.AsMemory(0, 10));
                    client.Client.Shutdown(SocketShutdown.Send);
                    await Task.Delay(200);
                    break;
                case "magic":
                    frame[0] ^= 1;
                    await stream.WriteAsync(frame);
                    await Task.Delay(200);
                    break;
                case "checksum":
                    frame[20] ^= 1;
                    await stream.WriteAsync(frame);
                    await Task.Delay(200);
                    break;
                case "huge":
                    BitConverter.GetBytes(uint.MaxValue).CopyTo(frame, 16);
                    await stream.WriteAsync(frame);
                    await Task.Delay(200);
                    break;
                case "garbage":
                    await stream.WriteAsync(PeerFrame.Encode(Magic, "version", [1, 2, 3]));
                    await Task.Delay(200);
                    break;
                default:
                    byte[] many = [.. Enumerable.Repeat(frame, 5_000).SelectMany(f => f)];
                    await stream.WriteAsync(many);
                    await Task.Delay(500);
                    break;
            }
        }
        catch (IOException)
        {
            // The client hung up first: its right.
        }
    }

    /// <summary>Plays a recorded session: waits for each recorded frame of the client, which must come byte for byte, and sends what the node sent then.</summary>
    private sealed class ScriptedPeer : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task _playing;

        public ScriptedPeer(IReadOnlyList<JsonElement> messages)
        {
            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _playing = PlayAsync(messages);
        }

        public int Port { get; }

        public Task EndAsync() => _playing.WaitAsync(Patience);

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            try
            {
                await _playing;
            }
            catch (Exception e) when (e is EndOfStreamException or IOException or SocketException or ObjectDisposedException)
            {
                // The test read no further than it wanted.
            }
        }

        private async Task PlayAsync(IReadOnlyList<JsonElement> messages)
        {
            using TcpClient client = await _listener.AcceptTcpClientAsync();
            NetworkStream stream = client.GetStream();
            foreach (JsonElement message in messages)
            {
                byte[] frame = message.Hex("frame");
                if (message.Text("dir") == "in")
                {
                    await stream.WriteAsync(frame);
                    continue;
                }

                byte[] received = new byte[frame.Length];
                await stream.ReadExactlyAsync(received);
                Assert.Equal(Convert.ToHexStringLower(frame), Convert.ToHexStringLower(received));
            }
        }
    }
}
