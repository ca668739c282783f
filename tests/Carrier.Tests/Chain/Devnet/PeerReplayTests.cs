using System.Net.Sockets;
using System.Text.Json;
using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Chain.Transactions;
using Carrier.Devnet.Peers;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>Every peer session recorded from a real node, spoken to the devnet over real loopback TCP: what the node sent, the devnet sends, byte for byte.</summary>
/// <remarks>Of the node's version its time and nonce are its own; all else of every frame is compared.</remarks>
public class PeerReplayTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly IReadOnlyList<JsonElement> Lines = ChainVectors.Lines("spv.jsonl");

    public static TheoryData<string> Sessions => [.. Lines.Where(line => line.TryGetProperty("title", out _)).Select(line => line.Text("session"))];

    [Theory]
    [MemberData(nameof(Sessions))]
    public async Task Replay_recorded_session_same_frames(string session)
    {
        JsonElement head = Lines.Single(line => line.Text("session") == session && line.TryGetProperty("title", out _));
        JsonElement[] messages = [.. Lines.Where(line => line.Text("session") == session && line.TryGetProperty("n", out _))];
        using var recorded = new RecordedChain();
        recorded.AdvanceTo(HeightOf(messages));
        var chainLock = new Lock();
        await using var server = new PeerServer(recorded.Chain, chainLock, port: 0, () => RecordedChain.Now, (uint)head.Number("magic"));
        using var client = new TcpClient();
        await client.ConnectAsync(server.Address);
        await using NetworkStream stream = client.GetStream();
        using var limit = new CancellationTokenSource(Patience);
        Dictionary<string, List<string>> matched = [];
        string height = "";
        foreach (JsonElement message in messages)
        {
            byte[] frame = message.Hex("frame");
            if (message.Text("dir") == "out")
            {
                await stream.WriteAsync(frame, limit.Token);
                continue;
            }

            lock (chainLock)
            {
                HappenBefore(message, session, head, messages, recorded);
            }

            byte[] received = await ReadAsync(stream, frame.Length, limit.Token);
            AssertSame(frame, received, message.Text("command"));
            Collect(message, matched, ref height);
        }

        if (head.TryGetProperty("expect", out JsonElement expect) && expect.TryGetProperty("matched", out JsonElement delivered))
        {
            Assert.Equal(
                delivered.EnumerateObject().ToDictionary(p => p.Name, p => string.Join(' ', p.Value.EnumerateArray().Select(id => id.GetString()))),
                matched.ToDictionary(pair => pair.Key, pair => string.Join(' ', pair.Value)));
        }
    }

    /// <summary>The height the node announced; of a session it closed at once, any.</summary>
    private static uint HeightOf(JsonElement[] messages)
    {
        JsonElement version = messages.FirstOrDefault(message => message.Text("dir") == "in" && message.Text("command") == "version");
        return version.ValueKind == JsonValueKind.Object && PeerMessages.TryReadVersion(Payload(version), out PeerVersion peer) ? (uint)peer.Height : 10;
    }

    /// <summary>What happened at the node, beside the session, before it sent this.</summary>
    private static void HappenBefore(JsonElement message, string session, JsonElement head, JsonElement[] messages, RecordedChain recorded)
    {
        if (session != "live" || message.Text("command") != "inv")
        {
            return;
        }

        if (message.Number("n") == 8)
        {
            // First the payment of others, which must not be announced.
            Hash256 other = head.GetProperty("expect").Hash("other_txid");
            Assert.True(recorded.Chain.Ledger.Submit(recorded[261].Transactions.Single(transaction => transaction.Id == other)).IsAccepted);
            Transaction payment = ChainVectors.Parse(Payload(messages.First(m => m.Text("command") == "tx")));
            Assert.True(recorded.Chain.Ledger.Submit(payment).IsAccepted);
        }
        else if (message.Number("n") == 13)
        {
            recorded.AdvanceTo((uint)head.GetProperty("expect").Number("block_height"));
        }
    }

    private static void AssertSame(byte[] expected, byte[] received, string command)
    {
        if (command == "version")
        {
            foreach (byte[] frame in new[] { expected, received })
            {
                frame.AsSpan(20, sizeof(uint)).Clear(); // checksum
                frame.AsSpan(PeerFrame.HeaderBytes + 12, sizeof(uint)).Clear(); // time
                frame.AsSpan(PeerFrame.HeaderBytes + 18, sizeof(ulong)).Clear(); // nonce
            }
        }

        Assert.Equal(Convert.ToHexStringLower(expected), Convert.ToHexStringLower(received));
    }

    private static void Collect(JsonElement message, Dictionary<string, List<string>> matched, ref string height)
    {
        if (message.Text("command") == "merkleblock")
        {
            Assert.True(MerkleBlock.TryParse(Payload(message), out MerkleBlock? block));
            height = block!.Header.Height.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        else if (message.Text("command") == "tx")
        {
            (matched.TryGetValue(height, out List<string>? ids) ? ids : matched[height] = []).Add(ChainVectors.Parse(Payload(message)).Id.ToString());
        }
    }

    private static byte[] Payload(JsonElement message) => message.Hex("frame")[PeerFrame.HeaderBytes..];

    /// <summary>So many bytes; an empty frame stands for a closed connection.</summary>
    private static async Task<byte[]> ReadAsync(NetworkStream stream, int count, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[Math.Max(count, 1)];
        int read;
        try
        {
            read = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        }
        catch (IOException)
        {
            read = 0; // closed with our bytes unread is a reset
        }

        return bytes[..read];
    }
}
