using System.Buffers.Binary;
using Carrier.Chain.Spv;
using Carrier.Core;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Peers;
using Carrier.Devnet.Rpc;

namespace Carrier.Fuzz.Targets;

/// <summary>What strangers on this machine can send to a devnet, and the file it keeps.</summary>
public static class DevnetTargets
{
    private const int Blocks = 3;

    private static readonly UnixTime Now = new(1_900_000_000);

    private static readonly string[] Commands =
        ["version", "verack", "ping", "pong", "filterload", "filteradd", "filterclear", "getblocks", "getdata", "mempool", "tx", "inv"];

    /// <summary>A whole conversation: <c>command 1 | length 2, little-endian | payload</c>, again and again, after the greeting.</summary>
    public static void PeerSessions(ReadOnlySpan<byte> data)
    {
        using DevnetChain chain = Chain();
        var session = new PeerSession(chain, chain.Network.Magic, nonce: 1);
        Assert.True(session.Handle("version", PeerMessages.Version(1, 2, 3), Now));
        chain.Ledger.Pooled += session.Announce;
        bool goesOn = true;
        while (goesOn && data.Length >= 3)
        {
            int length = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(data[1..]), data.Length - 3);
            goesOn = session.Handle(Commands[data[0] % Commands.Length], data.Slice(3, length), Now);
            data = data[(3 + length)..];
            for (int frames = 0; goesOn && session.TryTransmit(out ReadOnlyMemory<byte> frame); frames++)
            {
                Assert.Equal(FrameReading.Read, PeerFrame.TryReadHeader(frame.Span, chain.Network.Magic, out _, out int payload));
                Assert.Equal(frame.Length, PeerFrame.HeaderBytes + payload);
                Assert.InRange(frames, 0, 4 * PeerSession.MaxWanted);
            }
        }
    }

    public static void RpcRequests(ReadOnlySpan<byte> data)
    {
        using DevnetChain chain = Chain();
        RpcReply reply = new RpcService(chain, Faucet.Owner, () => Now).Answer(data);
        Assert.InRange(reply.Status, 200, 400);
        Assert.NotEmpty(reply.Body.ToJsonString());
    }

    /// <summary>A history on the disk: it is played up to its last whole record, or refused.</summary>
    public static void BlockFiles(ReadOnlySpan<byte> data)
    {
        using var chain = new DevnetChain("fuzz", Faucet.Owner);
        using var history = new MemoryStream(data.ToArray(), writable: false);
        try
        {
            Assert.InRange(BlockFile.Play(history, chain, Now), 0, data.Length);
        }
        catch (InvalidDataException)
        {
            return; // a block of another chain
        }
    }

    private static DevnetChain Chain()
    {
        var chain = new DevnetChain("fuzz", Faucet.Owner);
        for (int i = 0; i < Blocks; i++)
        {
            _ = chain.Mine(Faucet.Owner, Now);
        }

        return chain;
    }
}
