using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Nat;
using Carrier.Node.Dialing;
using Carrier.Node.Homes;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>One hostile host against whole nodes: amplification, forgery, replay, floods.</summary>
public sealed class HostileScenarios(ITestOutputHelper output) : IDisposable
{
    private const string Protocol = "test/1";
    private static readonly Endpoint HostileAddress = Endpoint.FromIPv4(0x42424242, 6666);
    private static readonly Endpoint VictimAddress = Endpoint.FromIPv4(0x43434343, 7777);

    private readonly SimulatedWorld _world = new(61);
    private SimulatedNode _seed = null!;
    private SimulatedNode _a = null!;
    private SimulatedNode _b = null!;
    private HostileNode _hostile = null!;
    private HostileNode _victim = null!;

    public void Dispose()
    {
        _hostile?.Dispose();
        _victim?.Dispose();
        _world.Dispose();
    }

    [Fact]
    public void Spoofed_datagrams_of_every_kind_never_make_a_node_send_more_than_was_sent()
    {
        Begin();
        byte[] initiation = _hostile.Initiation(_b.Identity!, _hostile.Delegate(_hostile.Owner), Protocol);
        List<(string Kind, Endpoint To, byte[] Datagram)> asked =
        [
            ("initiation", _b.Host.Address, initiation),
            ("initiation to a seed", _seed.Host.Address, initiation),
        ];
        foreach (int method in (int[])[.. Enum.GetValues<DhtMethod>().Cast<int>(), .. Enum.GetValues<HomeMethod>().Cast<int>(), 9, 99])
        {
            asked.Add(($"question {method}", _seed.Host.Address, _hostile.Question(_seed, method, [0xA0])));
            asked.Add(($"padded question {method}", _seed.Host.Address, _hostile.Question(_seed, method, TargetBody(), AskOptions.LargeAnswer)));
        }

        foreach (PacketKind kind in Enum.GetValues<PacketKind>())
        {
            foreach (int bytes in (int[])[1, 20, 42, 60, 200, 1_200])
            {
                byte[] garbage = new byte[bytes];
                _hostile.Random.Fill(garbage);
                garbage[0] = (byte)kind;
                asked.Add(($"{kind} of {bytes}", _seed.Host.Address, garbage));
                asked.Add(($"{kind} of {bytes} to a device", _b.Host.Address, garbage));
            }
        }

        long sent = 0;
        long drawn = 0;
        foreach ((string kind, Endpoint to, byte[] datagram) in asked)
        {
            _victim.Clear();
            _hostile.SendAs(VictimAddress, to, datagram);
            _world.Network.RunFor(TimeSpan.FromMilliseconds(200));
            Assert.True(_victim.ReceivedBytes <= datagram.Length, $"{kind}: {datagram.Length} bytes drew {_victim.ReceivedBytes}");
            sent += datagram.Length;
            drawn += _victim.ReceivedBytes;
        }

        _victim.Clear();
        _world.Network.RunFor(TimeSpan.FromSeconds(10)); // what is repeated later counts too
        drawn += _victim.ReceivedBytes;
        output.WriteLine($"{asked.Count} datagrams, {sent} bytes sent, {drawn} drawn, factor {(double)drawn / sent:F2}");
        Assert.InRange(drawn, 1, sent);
    }

    // The one exception, as RFC 8489 answers carry what they are asked for: 20 bytes draw at most 48, rate-limited a source.
    [Fact]
    public void Spoofed_STUN_requests_draw_little_and_ever_less()
    {
        Begin();
        _hostile.SendAs(VictimAddress, _seed.Host.Address, _hostile.StunRequest());
        _world.Network.RunFor(TimeSpan.FromSeconds(1));
        Assert.InRange(_victim.ReceivedBytes, 20, 48);
        _victim.Clear();
        const int Flood = 20_000;
        for (int i = 0; i < Flood; i++)
        {
            _hostile.SendAs(VictimAddress, _seed.Host.Address, _hostile.StunRequest());
        }

        _world.Network.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"{Flood} requests drew {_victim.ReceivedDatagrams} answers, {_victim.ReceivedBytes} bytes for {Flood * 20}");
        Assert.InRange(_victim.ReceivedBytes, 0, Flood * 20);
    }

    [Theory]
    [InlineData("expired", DelegationVerdict.Expired)]
    [InlineData("not yet valid", DelegationVerdict.NotYetValid)]
    [InlineData("revoked", DelegationVerdict.Revoked)]
    [InlineData("of another device", DelegationVerdict.BadSignature)]
    [InlineData("forged", DelegationVerdict.BadSignature)]
    public void Handshake_with_a_bad_delegation_is_refused_with_the_reason_here_and_silence_there(string flaw, DelegationVerdict expected)
    {
        Begin();
        Delegation delegation = flaw switch
        {
            "expired" => _hostile.Delegate(_hostile.Owner, fromDays: -10, toDays: -1),
            "not yet valid" => _hostile.Delegate(_hostile.Owner, fromDays: 1),
            "of another device" => _a.Identity!.Delegation,
            "forged" => Forge(_hostile.Delegate(_hostile.Owner)),
            _ => _hostile.Delegate(_hostile.Owner),
        };
        if (flaw == "revoked")
        {
            _b.Machine.Learn(Revocation.Issue(_hostile.Owner, serialFloor: 2));
        }

        _hostile.Send(_b.Host.Address, _hostile.Initiation(_b.Identity!, delegation, Protocol));
        _world.Network.RunFor(TimeSpan.FromSeconds(12));
        Assert.Equal([expected], _b.Refusals);
        Assert.Equal(0, _hostile.ReceivedBytes);
        Assert.Empty(_b.Machine.Sessions);
    }

    [Fact]
    public void Handshake_to_the_wrong_key_or_identity_is_silence()
    {
        Begin();
        _hostile.Send(_b.Host.Address, _hostile.Initiation(_a.Identity!, _hostile.Delegate(_hostile.Owner), Protocol));
        _world.Network.RunFor(TimeSpan.FromSeconds(2));
        Assert.Equal(0, _hostile.ReceivedBytes);
        Assert.Empty(_b.Machine.Sessions);
    }

    // Whom we know, whom we revoked and whom we never heard of cannot be told apart from outside: nothing is sent, no timer set, no state made, one drop counted.
    [Fact]
    public void Refused_strangers_known_and_unknown_meet_the_same_silence()
    {
        Begin();
        using OwnerKey known = _world.NewOwner();
        _b.Machine.Learn(Revocation.Issue(known, serialFloor: 9));
        (string, byte[])[] refused =
        [
            ("revoked", _hostile.Initiation(_b.Identity!, _hostile.Delegate(known), Protocol)),
            ("expired", _hostile.Initiation(_b.Identity!, _hostile.Delegate(_hostile.Owner, fromDays: -10, toDays: -1), Protocol)),
            ("unknown, forged", _hostile.Initiation(_b.Identity!, Forge(_hostile.Delegate(_hostile.Owner)), Protocol)),
            ("known, forged", _hostile.Initiation(_b.Identity!, Forge(_hostile.Delegate(known)), Protocol)),
            ("a known peer's delegation", _hostile.Initiation(_b.Identity!, _a.Identity!.Delegation, Protocol)),
            ("to another device", _hostile.Initiation(_a.Identity!, _hostile.Delegate(_hostile.Owner), Protocol)),
        ];
        foreach ((string kind, byte[] initiation) in refused)
        {
            (long bytes, long drops, Instant deadline) = (_b.Host.BytesSent, _b.Machine.Drops.Total(), _b.Machine.NextDeadline);
            _b.Machine.Handle(_world.Network.Now, HostileAddress, initiation, initiation.Length);
            _b.Host.Pump();
            Assert.True(
                (bytes, drops + 1, deadline) == (_b.Host.BytesSent, _b.Machine.Drops.Total(), _b.Machine.NextDeadline) && _b.Machine.Sessions.Count == 0, kind);
        }
    }

    [Fact]
    public void Dial_of_a_revoked_device_fails_as_not_trusted()
    {
        using OwnerKey owner = _world.NewOwner();
        Begin(owner);
        _ = Connect();
        _a.Machine.Learn(Revocation.Issue(owner, serialFloor: 2));
        ulong dial = _a.Dial(owner.TrustId, Protocol);
        Assert.True(_world.Network.RunUntil(() => _a.Failed.ContainsKey(dial), TimeSpan.FromSeconds(20)));
        Assert.Equal(DialFailure.NotTrusted, _a.Failed[dial]);
    }

    [Fact]
    public void Replayed_handshakes_packets_and_questions_have_no_effect_even_after_a_restart()
    {
        Begin();
        List<(Endpoint To, byte[] Datagram)> captured = [];
        _world.Network.Tap = (_, to, datagram) =>
        {
            captured.Add((to, datagram.ToArray()));
            return true;
        };
        ulong dial = Connect();
        PatternTraffic up = new(_world.Network, _a);
        PatternTraffic down = new(_world.Network, _b);
        up.Send(_a.Dialed[dial], 2, 50_000);
        Assert.True(_world.Network.RunUntil(() => down.StreamsFinished == 2, TimeSpan.FromSeconds(10)));
        _world.Network.RunFor(TimeSpan.FromSeconds(30)); // keepalives and renewals too
        _world.Network.Tap = null;
        long before = down.ReceivedBytes;
        Replay(captured);
        Assert.Equal(before, down.ReceivedBytes);
        Assert.Single(_b.Incoming);
        Assert.Empty(down.Closes);
        Assert.True(_b.Machine.Drops[DropReason.Replayed] > 0);
        Assert.Single(_b.Machine.Sessions);

        _b.Kill();
        _b.Start();
        _b.Machine.Listen(Protocol);
        _world.Network.RunFor(TimeSpan.FromSeconds(5));
        Replay(captured);
        Assert.Single(_b.Incoming);
        Assert.Empty(_b.Machine.Sessions);
        ulong again = _a.Dial(_b.Identity!.TrustId, Protocol);
        Assert.True(_world.Network.RunUntil(() => _a.Dialed.ContainsKey(again) && _b.Incoming.Count == 2, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void Flood_of_spoofed_handshakes_leaves_live_sessions_their_goodput_and_grows_nothing()
    {
        Begin();
        ulong dial = Connect();
        PatternTraffic up = new(_world.Network, _a);
        PatternTraffic down = new(_world.Network, _b);
        _world.Network.RunFor(TimeSpan.FromSeconds(1));
        up.Send(_a.Dialed[dial], 1, 2_000_000_000);
        _world.Network.RunFor(TimeSpan.FromSeconds(1)); // past slow start
        long control = Goodput(down);
        long drops = _b.Machine.Drops.Total();
        byte[] model = _hostile.Initiation(_b.Identity!, _hostile.Delegate(_hostile.Owner), Protocol);
        for (int i = 0; i < 50_000; i++)
        {
            Endpoint spoofed = Endpoint.FromIPv4(0x50000000 + (uint)(i * 61), (ushort)(1 + i));
            byte[] forged = _hostile.ForgedInitiation(model);
            _world.Network.Schedule(TimeSpan.FromMicroseconds(10 * i), () => _hostile.SendAs(spoofed, _b.Host.Address, forged));
        }

        long flooded = Goodput(down);
        output.WriteLine($"goodput {control * 2 / 1e6:F1} MB/s, under the flood {flooded * 2 / 1e6:F1} MB/s");
        Assert.True(flooded >= control * 8 / 10, $"{flooded} of {control}");
        Assert.Single(_b.Machine.Sessions);
        Assert.Empty(down.Closes);
        _world.Network.RunFor(TimeSpan.FromMilliseconds(100)); // the last of the flood arrives
        string reasons = string.Join(", ", Enum.GetValues<DropReason>().Select(reason => $"{reason} {_b.Machine.Drops[reason]}"));
        Assert.True(_b.Machine.Drops.Total() - drops >= 50_000, reasons);
    }

    [Fact]
    public void Strangers_questions_and_answers_enter_no_table_and_are_relayed_nowhere()
    {
        Begin();
        int table = _seed.Machine.Report(_world.Network.Now).TableNodes;
        _hostile.Learns = true;
        for (int i = 0; i < 50; i++)
        {
            _hostile.Send(_seed.Host.Address, _hostile.Question(_seed, (int)DhtMethod.FindNode, TargetBody(), AskOptions.LargeAnswer | AskOptions.Introduce));
            byte[] relayed = new byte[200];
            _hostile.Random.Fill(relayed);
            relayed[0] = (byte)PacketKind.RelayData;
            _hostile.Send(_seed.Host.Address, relayed);
            _world.Network.RunFor(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal(table, _seed.Machine.Report(_world.Network.Now).TableNodes);
        Assert.Equal(0, _seed.Machine.Report(_world.Network.Now).RelayedPackets);
        Assert.True(_seed.Machine.Drops[DropReason.UnknownTarget] > 0);
        Assert.Equal(0, _victim.ReceivedBytes);
    }

    [Fact]
    public void Candidates_that_name_a_victim_draw_a_bounded_number_of_probes()
    {
        Begin();
        Candidate[] listed = [.. Enumerable.Range(0, Candidate.MaxListed).Select(_ => new Candidate(CandidateKind.Reflexive, VictimAddress))];
        long sent = 0;
        for (int i = 0; i < 20; i++)
        {
            byte[] initiation = _hostile.Initiation(_b.Identity!, _hostile.Delegate(_hostile.Owner), Protocol, listed);
            sent += initiation.Length;
            _hostile.Send(_b.Host.Address, initiation);
            _world.Network.RunFor(TimeSpan.FromMilliseconds(100));
        }

        _world.Network.RunFor(TimeSpan.FromSeconds(30));
        output.WriteLine($"20 handshakes of {sent} bytes that name a victim made {_victim.ReceivedDatagrams} probes of {_victim.ReceivedBytes} bytes");
        Assert.Equal(0, _victim.ReceivedDatagrams); // an unconfirmed responder sends nothing of its session
        Assert.Empty(_b.Machine.Sessions);
    }

    private static byte[] TargetBody() => [0xA1, 0x00, 0x54, .. new byte[20]];

    private static Delegation Forge(Delegation delegation)
    {
        byte[] forged = delegation.Encoded.ToArray();
        forged[^1] ^= 1; // the signature is last
        return Delegation.TryParse(forged, out Delegation? parsed) ? parsed : throw new InvalidOperationException("The forgery does not parse.");
    }

    private void Begin(OwnerKey? ownerOfB = null)
    {
        _seed = _world.AddServing();
        _ = _world.AddServing();
        _ = _world.AddServing();
        _a = _world.AddPublicDevice();
        _b = _world.AddPublicDevice(ownerOfB);
        _b.Machine.Listen(Protocol);
        _hostile = new HostileNode(_world.Network, HostileAddress);
        _victim = new HostileNode(_world.Network, VictimAddress);
        _world.RunUntilReady(TimeSpan.FromSeconds(20));
    }

    private ulong Connect()
    {
        ulong dial = _a.Dial(_b.Identity!.TrustId, Protocol);
        Assert.True(_world.Network.RunUntil(() => _a.Dialed.ContainsKey(dial) && _b.Incoming.Count > 0, TimeSpan.FromSeconds(10)));
        return dial;
    }

    private long Goodput(PatternTraffic traffic)
    {
        long before = traffic.ReceivedBytes;
        _world.Network.RunFor(TimeSpan.FromSeconds(0.5));
        return traffic.ReceivedBytes - before;
    }

    private void Replay(List<(Endpoint To, byte[] Datagram)> captured)
    {
        foreach ((Endpoint to, byte[] datagram) in captured)
        {
            _hostile.Send(to, datagram);
        }

        _world.Network.RunFor(TimeSpan.FromSeconds(15));
    }
}
