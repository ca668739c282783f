using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Node.Homes;
using Carrier.Node.Relay;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Node.Homes;

public sealed class HomeServerTests
{
    private static readonly UnixTime Wall = new(1_790_000_000);
    private static readonly PublicKey HomeKey = new([.. Enumerable.Repeat((byte)7, 32)]);
    private static readonly Endpoint Device = Addresses.Of("203.0.113.7:61000");
    private static readonly Endpoint Dialler = Addresses.Of("198.51.100.20:5000");
    private static readonly byte[] Initiation = [0x50, 1, 2, 3];

    private readonly DropCounters _drops = new();
    private readonly RelayMachine _relay;
    private readonly byte[] _answer = new byte[HomeServer.MaxAnswerBytes];
    private readonly byte[] _datagram = new byte[65_536];
    private HomeServer _home;

    public HomeServerTests()
    {
        _relay = new(new(), new SeededRandom(), _drops);
        _home = Home(new());
    }

    [Fact]
    public void Answer_connect_forwards_the_initiation_and_both_sides_then_talk()
    {
        Assert.Equal(RegisterStatus.Done, Register(Device, new(1)).Status);
        ConnectAnswer connected = Connect(Dialler, new FakeDevice(1).ExchangeKey);
        Assert.Equal(ConnectStatus.Connected, connected.Status);

        Assert.True(_relay.TryTransmit(Instant.Zero, _datagram, out Transmit toTarget));
        Assert.Equal(Device, toTarget.Path.Remote);
        Assert.Equal(Initiation, _datagram[9..toTarget.Bytes]);
        ulong targetChannel = BinaryPrimitives.ReadUInt64BigEndian(_datagram.AsSpan(1));
        Assert.NotEqual(connected.Channel, targetChannel);

        _relay.Handle(Instant.Zero, Device, _datagram.AsSpan(0, toTarget.Bytes), toTarget.Bytes);
        Assert.True(_relay.TryTransmit(Instant.Zero, _datagram, out Transmit toDialler));
        Assert.Equal(Dialler, toDialler.Path.Remote);
        Assert.Equal(connected.Channel, BinaryPrimitives.ReadUInt64BigEndian(_datagram.AsSpan(1)));
    }

    [Fact]
    public void Answer_connect_to_a_stranger_is_not_here_and_sends_nothing()
    {
        Assert.Equal(ConnectStatus.NotHere, Connect(Dialler, new FakeDevice(1).ExchangeKey).Status);
        Assert.False(_relay.TryTransmit(Instant.Zero, _datagram, out _));
    }

    [Fact]
    public void Answer_connect_carrying_anything_but_an_initiation_is_dropped()
    {
        _ = Register(Device, new(1));
        byte[] body = new byte[ConnectQuestion.MaxBytes];
        int bytes = new ConnectQuestion { Target = new FakeDevice(1).ExchangeKey, First = [0x42, 1, 2, 3, 4, 5, 6, 7, 8, 0x50] }.Encode(body);
        Assert.Equal(0, _home.Answer(Instant.Zero, Wall, Dialler, HomeMethod.Connect, body.AsSpan(0, bytes), _answer));
        Assert.Equal(1, _drops[DropReason.Malformed]);
    }

    [Fact]
    public void Answer_a_proof_for_another_home_or_method_or_by_another_device_is_refused()
    {
        FakeDevice device = new(1);
        PublicKey otherHome = new(new byte[32]);
        byte[] forged = device.Question(HomeMethod.Register, HomeKey, Wall);
        forged[^1] ^= 1;
        Assert.Equal(RegisterStatus.BadProof, Ask(Device, HomeMethod.Register, device.Question(HomeMethod.Register, otherHome, Wall)).Status);
        Assert.Equal(RegisterStatus.BadProof, Ask(Device, HomeMethod.Unregister, device.Question(HomeMethod.Register, HomeKey, Wall)).Status);
        Assert.Equal(RegisterStatus.BadProof, Ask(Device, HomeMethod.Register, forged).Status);
        Assert.Equal(0, _home.RegistrationCount);
    }

    [Theory]
    [InlineData(31_536_000)]
    [InlineData(-31_536_000)]
    [InlineData(601)]
    public void Answer_a_wrong_clock_is_told_the_homes_time(long skewSeconds)
    {
        RegisterAnswer answer = Ask(
            Device, HomeMethod.Register, new FakeDevice(1).Question(HomeMethod.Register, HomeKey, Wall + TimeSpan.FromSeconds(skewSeconds)));
        Assert.Equal((RegisterStatus.ClockSkew, Wall), (answer.Status, answer.HomeTime));
    }

    [Fact]
    public void Answer_registering_from_elsewhere_moves_open_channels()
    {
        _ = Register(Device, new(1));
        ConnectAnswer connected = Connect(Dialler, new FakeDevice(1).ExchangeKey);
        _ = _relay.TryTransmit(Instant.Zero, _datagram, out _);
        Endpoint moved = Addresses.Of("192.0.2.44:7000");
        _ = Register(moved, new(1));

        byte[] data = RelayMachineData(connected.Channel);
        _relay.Handle(Instant.Zero, Dialler, data, data.Length);
        Assert.True(_relay.TryTransmit(Instant.Zero, _datagram, out Transmit transmit));
        Assert.Equal(moved, transmit.Path.Remote);
        Assert.Equal(1, _home.RegistrationCount);
    }

    [Theory]
    [InlineData("0.0.0.0:5")]
    [InlineData("[::]:5")]
    [InlineData("224.0.0.1:5")]
    [InlineData("255.255.255.255:5")]
    [InlineData("203.0.113.7:0")]
    [InlineData("[ff02::1]:5")]
    [InlineData("[64:ff9b::a9fe:a9fe]:5")]
    [InlineData("[::ffff:0.0.0.0]:5")]
    public void Answer_impossible_sources_register_nothing_and_open_nothing(string remote)
    {
        byte[] body = new FakeDevice(1).Question(HomeMethod.Register, HomeKey, Wall);
        Assert.Equal(0, _home.Answer(Instant.Zero, Wall, Addresses.Of(remote), HomeMethod.Register, body, _answer));
        Assert.Equal(0, _home.RegistrationCount);
    }

    [Fact]
    public void HandleTimeout_ends_leases_and_their_channels()
    {
        _ = Register(Device, new(1));
        _ = Connect(Dialler, new FakeDevice(1).ExchangeKey);
        Assert.Equal(1, _relay.ChannelCount);
        _home.HandleTimeout(_home.NextDeadline);
        Assert.Equal((0, 0), (_home.RegistrationCount, _relay.ChannelCount));
        Assert.Equal(Instant.Never, _home.NextDeadline);
    }

    [Fact]
    public void Answer_unregister_closes_what_was_open()
    {
        _ = Register(Device, new(1));
        _ = Connect(Dialler, new FakeDevice(1).ExchangeKey);
        Assert.Equal(RegisterStatus.Done, Ask(Device, HomeMethod.Unregister, new FakeDevice(1).Question(HomeMethod.Unregister, HomeKey, Wall)).Status);
        Assert.Equal((0, 0), (_home.RegistrationCount, _relay.ChannelCount));
    }

    [Fact]
    public void Answer_a_question_held_back_undoes_nothing_that_the_device_did_since()
    {
        FakeDevice device = new(1);
        byte[] oldRegister = device.Question(HomeMethod.Register, HomeKey, Wall);
        byte[] farewell = device.Question(HomeMethod.Unregister, HomeKey, Wall + TimeSpan.FromSeconds(1));
        UnixTime later = Wall + TimeSpan.FromSeconds(2);
        Endpoint moved = Addresses.Of("192.0.2.44:7000");
        Assert.Equal(RegisterStatus.Done, Ask(moved, HomeMethod.Register, device.Question(HomeMethod.Register, HomeKey, later)).Status);
        _ = Connect(Dialler, device.ExchangeKey);

        foreach ((HomeMethod method, byte[] question) in new[] { (HomeMethod.Unregister, farewell), (HomeMethod.Register, oldRegister) })
        {
            RegisterAnswer answer = Ask(Device, method, question);
            Assert.Equal((RegisterStatus.ClockSkew, later), (answer.Status, answer.HomeTime));
        }

        Assert.Equal((1, 1), (_home.RegistrationCount, _relay.ChannelCount));
        Assert.True(_relay.TryTransmit(Instant.Zero, _datagram, out Transmit transmit));
        Assert.Equal(moved, transmit.Path.Remote);

        // The clock of the device went back: it signs the time it was told, and is gone.
        Assert.Equal(RegisterStatus.Done, Ask(Device, HomeMethod.Unregister, device.Question(HomeMethod.Unregister, HomeKey, later)).Status);
        Assert.Equal(0, _home.RegistrationCount);
    }

    [Fact]
    public void Answer_quotas_hold_by_source_unit_owner_and_total()
    {
        _home = Home(new() { MaxRegistrations = 5, MaxPerSourceUnit = 2, MaxPerOwner = 3 });
        Assert.Equal(RegisterStatus.Done, Register(Addresses.Of("203.0.113.1:1"), new(1, 1)).Status);
        Assert.Equal(RegisterStatus.Done, Register(Addresses.Of("203.0.113.2:1"), new(2, 1)).Status);
        Assert.Equal(RegisterStatus.OverQuota, Register(Addresses.Of("203.0.113.3:1"), new(3, 1)).Status);
        Assert.Equal(RegisterStatus.Done, Register(Addresses.Of("198.51.100.1:1"), new(3, 1)).Status);
        Assert.Equal(RegisterStatus.OverQuota, Register(Addresses.Of("198.51.100.2:1"), new(4, 1)).Status);
        Assert.Equal(RegisterStatus.Done, Register(Addresses.Of("198.51.100.2:1"), new(4, 2)).Status);
        Assert.Equal(RegisterStatus.Done, Register(Addresses.Of("192.0.2.1:1"), new(5, 2)).Status);
        Assert.Equal(RegisterStatus.Full, Register(Addresses.Of("192.0.2.1:1"), new(6, 2)).Status);
        Assert.Equal(RegisterStatus.Done, Register(Addresses.Of("192.0.2.9:1"), new(5, 2)).Status); // renewing is not one more
    }

    [Fact]
    public void Answer_a_thousand_clients_cost_less_than_a_megabyte()
    {
        byte[][] bodies = [.. Enumerable.Range(0, 1000).Select(i => new FakeDevice(i, i).Question(HomeMethod.Register, HomeKey, Wall))];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            _ = _home.Answer(Instant.Zero, Wall, Device.WithPort((ushort)(i + 1)), HomeMethod.Register, bodies[i], _answer);
        }

        Assert.Equal(1000, _home.RegistrationCount);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 1_000_000);
    }

    private HomeServer Home(HomeLimits limits) => new(HomeKey, FakeDevice.Verify, _relay, limits, new SeededRandom(), _drops);

    private RegisterAnswer Register(Endpoint remote, FakeDevice device) =>
        Ask(remote, HomeMethod.Register, device.Question(HomeMethod.Register, HomeKey, Wall));

    private RegisterAnswer Ask(Endpoint remote, HomeMethod method, byte[] body)
    {
        int bytes = _home.Answer(Instant.Zero, Wall, remote, method, body, _answer);
        Assert.InRange(bytes, 1, body.Length);
        Assert.True(RegisterAnswer.TryParse(_answer.AsSpan(0, bytes), out RegisterAnswer answer));
        return answer;
    }

    private ConnectAnswer Connect(Endpoint remote, PublicKey target)
    {
        byte[] body = new byte[ConnectQuestion.MaxBytes];
        int length = new ConnectQuestion { Target = target, First = Initiation }.Encode(body);
        int bytes = _home.Answer(Instant.Zero, Wall, remote, HomeMethod.Connect, body.AsSpan(0, length), _answer);
        Assert.True(ConnectAnswer.TryParse(_answer.AsSpan(0, bytes), out ConnectAnswer answer));
        return answer;
    }

    private static byte[] RelayMachineData(ulong channel)
    {
        byte[] data = new byte[20];
        new NetworkPath(Device, channel).WriteHeader(data);
        data[9] = 0x60;
        return data;
    }
}
