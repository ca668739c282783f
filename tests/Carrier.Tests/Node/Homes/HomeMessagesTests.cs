using System.Formats.Cbor;
using Carrier.Core;
using Carrier.Dht.Records;
using Carrier.Fuzz.Targets;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Tests.Crypto;
using Carrier.Tests.Nat;
using Carrier.Tests.Protocol;

namespace Carrier.Tests.Node.Homes;

public sealed class HomeMessagesTests
{
    private static readonly byte[] KeyBytes = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private readonly byte[] _buffer = new byte[1400];

    [Fact]
    public void Encode_golden_messages_have_the_golden_bytes()
    {
        byte[] delegation = [.. Enumerable.Range(0xA0, 16).Select(i => (byte)i)];
        byte[] signature = [.. Enumerable.Range(0, 64).Select(i => (byte)i)];
        byte[] initiation = [0x50, .. Enumerable.Range(0, 40).Select(i => (byte)i)];
        AssertGolden("register-question", new RegisterQuestion { Delegation = delegation, Time = new(1790000000), Signature = signature }.Encode(_buffer));
        AssertGolden("register-answer", new RegisterAnswer(
            RegisterStatus.Done, TimeSpan.FromMinutes(5), Addresses.Of("203.0.113.7:61000"), new(1790000001)).Encode(_buffer));
        AssertGolden("connect-question", new ConnectQuestion { Target = new(KeyBytes), First = initiation }.Encode(_buffer));
        AssertGolden("connect-answer", new ConnectAnswer(ConnectStatus.Connected, 0x0123456789ABCDEF, TimeSpan.FromSeconds(60)).Encode(_buffer));
        KnockQuestion knock = new() { Port = 61001, TransactionId = KeyBytes.AsSpan(0, StunMessage.TransactionIdBytes), FromOtherPort = true };
        AssertGolden("knock-question", knock.Encode(_buffer));
        KnockLaterQuestion later = new() { Device = new(KeyBytes), TransactionId = KeyBytes.AsSpan(0, StunMessage.TransactionIdBytes), DelaySeconds = 30 };
        AssertGolden("knock-later-question", later.Encode(_buffer));
        AssertGolden("knock-answer", new KnockAnswer(KnockStatus.Sent).Encode(_buffer));
        DhtRecord[] records = [Dht("record-revocation"), Dht("record-signed")];
        AssertGolden("proxy-get-question", new ProxyGetQuestion(new(KeyBytes), records[1].Target, 2).Encode(_buffer));
        AssertGolden("proxy-get-answer", ProxyGetAnswer.Encode([.. records, records[1]], 0, _buffer.AsSpan(0, NatVectors.Get("proxy-get-answer").Length + 2)));
        AssertGolden("proxy-put-question", new ProxyPutQuestion { Record = records[1].Encoded.Span }.Encode(_buffer));
        AssertGolden("proxy-put-answer", new ProxyPutAnswer(21).Encode(_buffer));
        AssertGolden("device-record", Record().Encode(_buffer));
        AssertGolden("device-record-nat", (Record() with { Nat = NatDescriptionTests.Golden }).Encode(_buffer));
        HomeProof.Write(_buffer, HomeMethod.Register, new(KeyBytes), new(1790000000));
        AssertGolden("home-proof", HomeProof.Bytes);
    }

    [Fact]
    public void WriteHeader_of_a_relayed_path_opens_the_golden_relay_data()
    {
        byte[] golden = NatVectors.Get("relay-data");
        byte[] inner = golden[NetworkPath.RelayHeaderBytes..];
        byte[] written = [.. new byte[NetworkPath.RelayHeaderBytes], .. inner];
        new NetworkPath(Addresses.Of("203.0.113.7:61000"), 0x0123456789ABCDEF).WriteHeader(written);
        Assert.Equal(golden, written);
        Assert.Equal(golden, Stranger.Relayed(0x0123456789ABCDEF, inner));
    }

    [Fact]
    public void TryParse_hostile_bytes_never_throws()
    {
        HostileInput.Feed(NatVectors.Get("register-question"), NatTargets.RegisterQuestionParse);
        HostileInput.Feed(NatVectors.Get("register-answer"), NatTargets.RegisterAnswerParse);
        HostileInput.Feed(NatVectors.Get("connect-question"), NatTargets.ConnectQuestionParse);
        HostileInput.Feed(NatVectors.Get("connect-answer"), NatTargets.ConnectAnswerParse);
        HostileInput.Feed(NatVectors.Get("knock-question"), NatTargets.KnockQuestionParse);
        HostileInput.Feed(NatVectors.Get("knock-later-question"), NatTargets.KnockLaterQuestionParse);
        HostileInput.Feed(NatVectors.Get("knock-answer"), NatTargets.KnockAnswerParse);
        HostileInput.Feed(NatVectors.Get("proxy-get-question"), NatTargets.ProxyGetQuestionParse);
        HostileInput.Feed(NatVectors.Get("proxy-get-answer"), NatTargets.ProxyGetAnswerParse);
        HostileInput.Feed(NatVectors.Get("proxy-put-question"), NatTargets.ProxyPutQuestionParse);
        HostileInput.Feed(NatVectors.Get("proxy-put-answer"), NatTargets.ProxyPutAnswerParse);
        HostileInput.Feed(NatVectors.Get("device-record"), NatTargets.DeviceRecordParse);
        HostileInput.Feed(NatVectors.Get("device-record-nat"), NatTargets.DeviceRecordParse);
    }

    [Fact]
    public void ProxyGetAnswer_pages_bring_every_record_once_and_no_page_exceeds_its_room()
    {
        DhtRecord[] records = [.. Enumerable.Range(1, 9).Select(i => ImmutableRecord.Create(new byte[i * 111]))];
        List<byte[]> told = [];
        for (bool more = true; more;)
        {
            int bytes = ProxyGetAnswer.Encode(records, told.Count, _buffer.AsSpan(0, 1_313));
            Assert.InRange(bytes, 1, 1_313);
            Assert.True(ProxyGetAnswer.TryParse(_buffer.AsSpan(0, bytes), out ProxyGetAnswer page));
            Assert.InRange(page.Count, 1, records.Length);
            ReadRecords(page, told);
            more = page.HasMore;
        }

        Assert.Equal(records.Select(record => record.Encoded.ToArray()), told);
        Assert.True(ProxyGetAnswer.TryParse(_buffer.AsSpan(0, ProxyGetAnswer.Encode(records, 200, _buffer)), out ProxyGetAnswer beyond));
        Assert.Equal((0, false), (beyond.Count, beyond.HasMore));
    }

    [Fact]
    public void DeviceRecord_golden_bytes_read_back_and_are_canonical_cbor()
    {
        byte[] golden = NatVectors.Get("device-record");
        Assert.True(DeviceRecord.TryParse(golden, out DeviceRecord record));
        Assert.Equal(Record().Candidates, record.Candidates);
        Assert.Equal(Record().Homes, record.Homes);
        Assert.Equal((NatMapping.EndpointIndependent, 5UL), (record.Mapping, record.Capabilities));
        CborReader judge = new(golden, CborConformanceMode.Canonical);
        judge.SkipValue();
        Assert.Equal(0, judge.BytesRemaining);
    }

    [Fact]
    public void DeviceRecord_with_a_nat_description_reads_back()
    {
        Assert.True(DeviceRecord.TryParse(NatVectors.Get("device-record-nat"), out DeviceRecord record));
        Assert.Equal(NatDescriptionTests.Golden, record.Nat);
    }

    [Fact]
    public void DeviceRecord_fullest_record_fits_its_bound()
    {
        DeviceRecord full = new()
        {
            Candidates = [.. Enumerable.Repeat(new Candidate(CandidateKind.Host, Addresses.Of("[2001:db8::7]:65535")), Candidate.MaxListed)],
            Homes = [.. Enumerable.Repeat(new HomeContact(new(KeyBytes), Addresses.Of("[2001:db8::9]:65535")), DeviceRecord.MaxHomes)],
            Capabilities = ulong.MaxValue,
            Nat = NatDescriptionTests.Golden,
        };
        int bytes = full.Encode(_buffer);
        Assert.InRange(bytes, 1, DeviceRecord.MaxBytes);
        Assert.Equal(0, (full with { Homes = [.. full.Homes, full.Homes[0]] }).Encode(_buffer));
        Assert.Equal(0, full.Encode(new byte[bytes - 1]));
    }

    [Fact]
    public void DeviceRecord_unknown_fields_are_skipped_and_another_version_refused()
    {
        byte[] golden = NatVectors.Get("device-record");
        byte[] later = [.. golden, 7, 0x82, 1, 0x41, 9];
        later[0]++;
        Assert.True(DeviceRecord.TryParse(later, out _));
        golden[2] = 2;
        Assert.False(DeviceRecord.TryParse(golden, out _));
    }

    private static DeviceRecord Record() => new()
    {
        Candidates =
        [
            new(CandidateKind.Host, Addresses.Of("192.168.1.20:4433")),
            new(CandidateKind.Reflexive, Addresses.Of("203.0.113.7:61000")),
            new(CandidateKind.Mapped, Addresses.Of("[2001:db8::7]:4433")),
            new(CandidateKind.Relay, Addresses.Of("198.51.100.9:3478")),
        ],
        Homes =
        [
            new(new(KeyBytes), Addresses.Of("198.51.100.9:3478")),
            new(new([.. KeyBytes.Reverse()]), Addresses.Of("[2001:db8:1::9]:3478")),
        ],
        Mapping = NatMapping.EndpointIndependent,
        Capabilities = 5,
    };

    private static DhtRecord Dht(string name) =>
        DhtRecord.TryParse(CryptoVectors.Read("messages.txt", "dht")[name], out DhtRecord? record) ? record : throw new InvalidOperationException(name);

    private static void ReadRecords(in ProxyGetAnswer page, List<byte[]> told)
    {
        Carrier.Core.Wire.CborReader reader = new(page.Records);
        while (reader.TryReadRaw(out ReadOnlySpan<byte> record))
        {
            told.Add(record.ToArray());
        }
    }

    private void AssertGolden(string name, int bytes) => Assert.Equal(NatVectors.Get(name), _buffer[..bytes]);
}
