using System.Net.Sockets;
using System.Runtime.InteropServices;
using Carrier.Core;
using Carrier.Net;

namespace Carrier.Tests.Net;

public sealed class DatagramSocketsTests
{
    private const int V4 = 0;
    private const int V6 = 1;

    public static TheoryData<string, string> KindPairs()
    {
        TheoryData<string, string> pairs = [];
        foreach (SocketKind sender in Kinds())
        {
            foreach (SocketKind receiver in Kinds())
            {
                pairs.Add(sender.ToString(), receiver.ToString());
            }
        }

        return pairs;
    }

    public static TheoryData<string> EachKind() => [.. Kinds().Select(kind => kind.ToString())];

    [Theory]
    [MemberData(nameof(KindPairs))]
    public void Send_batches_arrive_whole_and_in_order(string sender, string receiver)
    {
        using DatagramSockets from = Bind(sender);
        using DatagramSockets to = Bind(receiver);

        foreach ((int bytes, int segmentBytes) in new[] { (1_200, 1_200), (54 * 1_200, 1_200), ((43 * 1_452) + 7, 1_452), (200 * 100, 100), (3, 1), (9_000, 9_000) })
        {
            byte[] sent = Pattern(bytes);
            Assert.Equal(SendResult.Sent, from.Send(Address(to), sent, segmentBytes, out int sentBytes));
            Assert.Equal(bytes, sentBytes);
            Assert.Equal(Segments(sent, segmentBytes), ReceiveDatagrams(to, V4, (bytes + segmentBytes - 1) / segmentBytes, Address(from)));
        }

        Assert.Equal(from.Counters.DatagramsSent, to.Counters.DatagramsReceived);
        Assert.Equal(from.Counters.BytesSent, to.Counters.BytesReceived);
        Assert.Equal(Enum.Parse<SocketKind>(sender), from.SendKind(V4));
        Assert.Equal(0, from.Counters.SendErrors + to.Counters.ReceiveErrors + to.Counters.Truncated);
    }

    [Theory]
    [MemberData(nameof(KindPairs))]
    public void Send_over_IPv6_arrives(string sender, string receiver)
    {
        Assert.SkipUnless(HasIPv6(), "no IPv6 loopback here");
        using DatagramSockets from = Bind(sender);
        using DatagramSockets to = Bind(receiver);
        byte[] sent = Pattern(10 * 1_232);

        Assert.Equal(SendResult.Sent, from.Send(Address(to, AddressFamily.InterNetworkV6), sent, 1_232, out _));

        Assert.Equal(Segments(sent, 1_232), ReceiveDatagrams(to, V6, 10, Address(from, AddressFamily.InterNetworkV6)));
    }

    [Theory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public void Send_marks_arrive_as_they_were_sent(AddressFamily family)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "marks are set and read on Linux");
        Assert.SkipUnless(family == AddressFamily.InterNetwork || HasIPv6(), "no IPv6 loopback here");
        using DatagramSockets from = Bind(nameof(SocketKind.Gso));
        using DatagramSockets to = Bind(nameof(SocketKind.Gso));
        int index = to.IndexOf(family);
        byte[] slab = new byte[DatagramSocket.SlabBytes];
        foreach (EcnCodepoint mark in new[] { EcnCodepoint.Capable0, EcnCodepoint.NotCapable, EcnCodepoint.CongestionExperienced })
        {
            foreach (int bytes in new[] { 1_200, 12_000 })
            {
                Assert.Equal(SendResult.Sent, from.Send(Address(to, family), Pattern(bytes), 1_200, out _, mark));
                int received = 0;
                while (received < bytes)
                {
                    if (to.TryReceive(index, slab, out _, out int part, out _))
                    {
                        received += part;
                        Assert.Equal(mark, to.ReceivedEcn(index));
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(KindPairs))]
    public void Send_of_nothing_is_an_empty_datagram(string sender, string receiver)
    {
        using DatagramSockets from = Bind(sender);
        using DatagramSockets to = Bind(receiver);

        Assert.Equal(SendResult.Sent, from.Send(Address(to), [], 0, out _));
        Assert.Equal(SendResult.Sent, from.Send(Address(to), [7, 8], 2, out _));

        Assert.Equal([[], [7, 8]], ReceiveDatagrams(to, V4, 2, Address(from)));
        Assert.Equal(2, from.Counters.DatagramsSent);
    }

    [Fact]
    public void TryReceive_coalesces_what_one_sender_sent_at_once()
    {
        Assert.SkipUnless(Fastest() == SocketKind.Gso, "the kernel has no segmentation offload");
        foreach (string receiver in new[] { "Gso", "Mmsg" })
        {
            using DatagramSockets from = Bind("Gso");
            using DatagramSockets to = Bind(receiver);
            byte[] slab = new byte[DatagramSocket.SlabBytes];
            from.Send(Address(to), Pattern((20 * 1_000) + 1), 1_000, out _);
            WaitReadable(to, V4);

            Assert.True(to.TryReceive(V4, slab, out _, out int bytes, out int segmentBytes));

            Assert.Equal((20_001, 1_000), (bytes, segmentBytes));
        }
    }

    [Theory]
    [MemberData(nameof(EachKind))]
    public void TryReceive_does_not_join_two_senders(string kind)
    {
        using DatagramSockets one = Bind("Plain");
        using DatagramSockets other = Bind("Plain");
        using DatagramSockets to = Bind(kind);
        one.Send(Address(to), [1, 1], 2, out _);
        other.Send(Address(to), [2, 2], 2, out _);

        Assert.Equal([[1, 1]], ReceiveDatagrams(to, V4, 1, Address(one)));
        Assert.Equal([[2, 2]], ReceiveDatagrams(to, V4, 1, Address(other)));
    }

    [Theory]
    [MemberData(nameof(EachKind))]
    public void TryReceive_when_nothing_waits_returns_false(string kind)
    {
        using DatagramSockets sockets = Bind(kind);

        Assert.False(sockets.TryReceive(V4, new byte[DatagramSocket.SlabBytes], out _, out int bytes, out _));

        Assert.Equal(0, bytes);
        Assert.Equal(0, sockets.Counters.ReceiveErrors);
    }

    [Theory]
    [MemberData(nameof(EachKind))]
    public void TryReceive_drops_and_counts_what_does_not_fit(string kind)
    {
        using DatagramSockets from = Bind("Plain");
        using DatagramSockets to = Bind(kind);
        byte[] slab = new byte[100];
        from.Send(Address(to), Pattern(101), 101, out _);
        from.Send(Address(to), Pattern(20_000), 20_000, out _);
        from.Send(Address(to), [42], 1, out _);

        int bytes;
        do
        {
            WaitReadable(to, V4);
        }
        while (!to.TryReceive(V4, slab, out _, out bytes, out _));

        Assert.Equal((1, 42), (bytes, slab[0]));
        Assert.Equal(2, to.Counters.Truncated);
    }

    [Theory]
    [MemberData(nameof(EachKind))]
    public void Send_to_a_closed_port_harms_nothing_after_it(string kind)
    {
        using DatagramSockets from = Bind(kind);
        using DatagramSockets to = Bind(kind);
        Endpoint closed;
        using (DatagramSockets gone = Bind(kind))
        {
            closed = Address(gone);
        }

        for (int i = 0; i < 3; i++)
        {
            from.Send(closed, Pattern(2_400), 1_200, out _);
            from.TryReceive(V4, new byte[DatagramSocket.SlabBytes], out _, out _, out _);
        }

        Assert.Equal(SendResult.Sent, from.Send(Address(to), [1], 1, out _));
        Assert.Equal([[1]], ReceiveDatagrams(to, V4, 1, Address(from)));
    }

    [Theory]
    [MemberData(nameof(EachKind))]
    public void Send_the_kernel_refuses_is_counted_and_keeps_the_kind(string kind)
    {
        using DatagramSockets from = Bind(kind);
        using DatagramSockets to = Bind(kind);
        Endpoint[] refused = [Address(to).WithPort(0), Endpoint.FromIPv4(0xFFFF_FFFF, 9)];

        foreach (Endpoint bad in refused)
        {
            Assert.Equal(SendResult.Failed, from.Send(bad, Pattern(12_000), 1_200, out int sentBytes));
            Assert.Equal(0, sentBytes);
        }

        Assert.Equal(SendResult.Failed, from.Send(Address(to), Pattern(65_520), 65_520, out _));
        Assert.Equal(3, from.Counters.SendErrors);
        Assert.Equal((0, kind), (from.Counters.Fallbacks, from.SendKind(V4).ToString()));
        Assert.Equal(SendResult.Sent, from.Send(Address(to), [1], 1, out _));
        Assert.Equal([[1]], ReceiveDatagrams(to, V4, 1, Address(from)));
    }

    [Fact]
    public void Send_when_segmentation_is_refused_falls_back_and_loses_nothing()
    {
        Assert.SkipUnless(Fastest() == SocketKind.Gso, "the kernel has no segmentation offload");
        using DatagramSockets from = Bind("Gso");
        using DatagramSockets to = Bind("Gso");
        RefuseSegmentation(from[V4]);
        byte[] sent = Pattern(30 * 1_200);

        Assert.Equal(SendResult.Sent, from.Send(Address(to), sent, 1_200, out int sentBytes));

        Assert.Equal(sent.Length, sentBytes);
        Assert.Equal(Segments(sent, 1_200), ReceiveDatagrams(to, V4, 30, Address(from)));
        Assert.Equal((1, SocketKind.Mmsg), (from.Counters.Fallbacks, from.SendKind(V4)));

        // Coalesced batches still come in.
        to.Send(Address(from), sent, 1_200, out _);
        Assert.Equal(Segments(sent, 1_200), ReceiveDatagrams(from, V4, 30, Address(to)));
        Assert.Equal(0, from.Counters.Truncated);
    }

    [Fact]
    public void Bind_takes_one_port_for_both_families()
    {
        Assert.SkipUnless(HasIPv6(), "no IPv6 loopback here");
        using DatagramSockets sockets = DatagramSockets.Bind(UdpBinding.Loopback);

        Assert.Equal(2, sockets.Count);
        Assert.NotEqual(0, Address(sockets).Port);
        Assert.Equal(Address(sockets).Port, Address(sockets, AddressFamily.InterNetworkV6).Port);
    }

    [Fact]
    public void Bind_on_every_address_keeps_families_apart()
    {
        using DatagramSockets sockets = DatagramSockets.Bind(new UdpBinding());
        using DatagramSockets client = Bind("Plain");
        ushort port = Address(sockets).Port;

        client.Send(Endpoint.FromIPv4(0x7F00_0001, port), [1], 1, out _);

        Assert.Equal([[1]], ReceiveDatagrams(sockets, V4, 1, Address(client)));
    }

    [Fact]
    public void Bind_on_a_taken_port_throws()
    {
        using DatagramSockets first = DatagramSockets.Bind(UdpBinding.Loopback);

        SocketException e = Assert.Throws<SocketException>(() => DatagramSockets.Bind(UdpBinding.Loopback with { Port = Address(first).Port }));

        Assert.Equal(SocketError.AddressAlreadyInUse, e.SocketErrorCode);
    }

    [Fact]
    public void Send_to_a_family_without_a_socket_fails_and_is_counted()
    {
        using DatagramSockets sockets = DatagramSockets.Bind(UdpBinding.Loopback with { IPv6 = null });
        _ = Endpoint.TryParse("[::1]:9", out Endpoint remote);

        Assert.Equal(SendResult.Failed, sockets.Send(remote, [1], 1, out _));

        Assert.Equal(1, sockets.Counters.SendErrors);
    }

    [Theory]
    [MemberData(nameof(EachKind))]
    public void Send_and_receive_allocate_nothing(string kind)
    {
        using DatagramSockets from = Bind(kind);
        using DatagramSockets to = Bind(kind);
        byte[] slab = new byte[DatagramSocket.SlabBytes];
        Endpoint address = Address(to);
        Exchange(100);

        Assert.Equal(0, AllocatedBytes.LeastOf(() => Exchange(100)));

        void Exchange(int times)
        {
            for (int i = 0; i < times; i++)
            {
                from.Send(address, slab.AsSpan(0, 2_400), 1_200, out _);
                while (to.TryReceive(V4, slab, out _, out _, out _))
                {
                }
            }
        }
    }

    internal static DatagramSockets Bind(string kind) => DatagramSockets.Bind(UdpBinding.Loopback with { ForcedKind = Enum.Parse<SocketKind>(kind) });

    internal static Endpoint Address(DatagramSockets sockets, AddressFamily family = AddressFamily.InterNetwork) => sockets.LocalEndpoint(family);

    internal static IEnumerable<SocketKind> Kinds() => Enum.GetValues<SocketKind>().Where(kind => kind >= Fastest());

    private static SocketKind Fastest()
    {
        using DatagramSockets sockets = DatagramSockets.Bind(UdpBinding.Loopback);
        return sockets.SendKind(V4);
    }

    private static bool HasIPv6()
    {
        using DatagramSockets sockets = DatagramSockets.Bind(UdpBinding.Loopback);
        return sockets.IndexOf(AddressFamily.InterNetworkV6) >= 0;
    }

    /// <summary>A socket told to send without checksums may not segment: the kernel answers EINVAL, as drivers without checksum offload answer EIO.</summary>
    private static void RefuseSegmentation(Socket socket)
    {
        const int solSocket = 1;
        const int soNoCheck = 11;
        int on = 1;
        socket.SetRawSocketOption(solSocket, soNoCheck, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in on)));
    }

    private static byte[] Pattern(int bytes) => [.. Enumerable.Range(0, bytes).Select(i => (byte)(i * 31 % 251))];

    private static List<byte[]> Segments(byte[] bytes, int segmentBytes) => [.. bytes.Chunk(segmentBytes)];

    private static void WaitReadable(DatagramSockets sockets, int index) =>
        Assert.True(sockets[index].Poll(TimeSpan.FromSeconds(10), SelectMode.SelectRead), "nothing arrived");

    private static List<byte[]> ReceiveDatagrams(DatagramSockets sockets, int index, int count, Endpoint from)
    {
        byte[] slab = new byte[DatagramSocket.SlabBytes];
        List<byte[]> datagrams = [];
        while (datagrams.Count < count)
        {
            if (!sockets.TryReceive(index, slab, out Endpoint remote, out int bytes, out int segmentBytes))
            {
                WaitReadable(sockets, index);
                continue;
            }

            Assert.Equal(from, remote);
            datagrams.AddRange(bytes == 0 ? [[]] : slab[..bytes].Chunk(segmentBytes));
        }

        return datagrams;
    }
}
