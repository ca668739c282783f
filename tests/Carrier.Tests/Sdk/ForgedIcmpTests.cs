using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Tests.Sdk;

/// <summary>Anybody on the path, or who guesses two addresses, can have a kernel told that a peer cannot be reached. A session does not believe it.</summary>
public sealed class ForgedIcmpTests : IAsyncLifetime
{
    private const string Protocol = "test/count/1";
    private const int Chunks = 200;
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Type and code: unreachable in every way but "too big", which would teach the machine's own loopback a smaller packet; time exceeded; parameter problem.</summary>
    private static readonly (byte Type, byte Code)[] Errors = [(3, 0), (3, 1), (3, 2), (3, 3), (3, 5), (3, 9), (3, 10), (3, 13), (11, 0), (12, 0)];

    private SmallNetwork _network = null!;

    public async ValueTask InitializeAsync() => _network = await SmallNetwork.StartAsync();

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    [Fact]
    public async Task Session_under_forged_ICMP_errors_to_both_ends_carries_every_byte()
    {
        using Socket forger = OpenOrSkip();
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen(Protocol, CountAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, Protocol).WaitAsync(SmallNetwork.Patience);
        await using CarrierStream stream = await session.OpenStreamAsync();
        (Endpoint near, Endpoint far) = (dialler.LocalEndpoints[0], listener.LocalEndpoints[0]);
        byte[] chunk = new byte[ChunkBytes];
        for (int i = 0; i < Chunks; i++)
        {
            foreach ((byte type, byte code) in Errors)
            {
                Forge(forger, type, code, from: near, to: far);
                Forge(forger, type, code, from: far, to: near);
            }

            await stream.Output.WriteAsync(chunk, TestContext.Current.CancellationToken).AsTask().WaitAsync(SmallNetwork.Patience);
        }

        await stream.Output.CompleteAsync();
        byte[] answer = new byte[sizeof(long)];
        await stream.AsStream().ReadExactlyAsync(answer, TestContext.Current.CancellationToken).AsTask().WaitAsync(SmallNetwork.Patience);
        Assert.Equal((long)Chunks * ChunkBytes, BitConverter.ToInt64(answer));
        Assert.False(session.Closed.IsCompleted);
    }

    private static async Task CountAsync(CarrierSession session, CancellationToken stop)
    {
        CarrierStream stream = (await session.AcceptStreamAsync(stop))!;
        byte[] buffer = new byte[ChunkBytes];
        long bytes = 0;
        int read;
        while ((read = await stream.AsStream().ReadAsync(buffer, stop)) > 0)
        {
            bytes += read;
        }

        await stream.Output.WriteAsync(BitConverter.GetBytes(bytes), stop);
        await stream.Output.CompleteAsync();
        await session.Closed.WaitAsync(stop);
    }

    private static Socket OpenOrSkip()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "What a forged error does to a socket is Linux's own.");
        try
        {
            return new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AccessDenied or SocketError.OperationNotSupported)
        {
            Assert.Skip("Raw sockets need CAP_NET_RAW: run the tests as root.");
            throw;
        }
    }

    /// <summary>
    /// Tells the machine, over loopback, that the datagram it sent could not be delivered.
    /// <code>
    /// ICMP: type (8) | code (8) | checksum (16) | 0 (32) | the datagram's IPv4 header (160) | its UDP header (64)
    /// </code>
    /// </summary>
    private static void Forge(Socket forger, byte type, byte code, Endpoint from, Endpoint to)
    {
        const int QuoteAt = 8;
        const int UdpAt = QuoteAt + 20;
        byte[] message = new byte[UdpAt + 8];
        (message[0], message[1]) = (type, code);
        Span<byte> ip = message.AsSpan(QuoteAt);
        (ip[0], ip[8], ip[9]) = (0x45, 64, (byte)ProtocolType.Udp);
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], 1_280);
        _ = IPAddress.Loopback.TryWriteBytes(ip[12..], out _);
        _ = IPAddress.Loopback.TryWriteBytes(ip[16..], out _);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum(ip[..20]));
        Span<byte> udp = message.AsSpan(UdpAt);
        BinaryPrimitives.WriteUInt16BigEndian(udp, from.Port);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], to.Port);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], 1_260);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(message));
        _ = forger.SendTo(message, new IPEndPoint(IPAddress.Loopback, 0));
    }

    /// <summary>RFC 1071, over an even number of bytes.</summary>
    private static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        }

        while (sum > ushort.MaxValue)
        {
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
