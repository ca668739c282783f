using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Fuzz.Targets;

namespace Carrier.Tests.Dht;

[Collection(RunsAlone.Name)]
public sealed class RecordTests
{
    private static readonly Endpoint Source = DhtNetwork.AddressOf(7);

    private readonly RecordStore _store = new(DhtKey.Random(new SeededRandom(1)));

    [Fact]
    public void TryParse_of_every_truncation_and_bit_flip_never_throws_nor_verifies()
    {
        byte[] golden = new Owners(1, 1).Sign(7, "value", salt: "salt").Encoded.ToArray();
        Assert.True(DhtRecord.TryParse(golden, out DhtRecord? record));
        Assert.Equal(RecordVerdict.Valid, record.Verify(DhtNetwork.Epoch, 0));
        for (int length = 0; length < golden.Length; length++)
        {
            Assert.False(DhtRecord.TryParse(golden.AsSpan(0, length), out _));
        }

        for (int bit = 0; bit < golden.Length * 8; bit += 3)
        {
            byte[] flipped = [.. golden];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            bool isGood = DhtRecord.TryParse(flipped, out DhtRecord? other)
                && other.Verify(DhtNetwork.Epoch, 0) == RecordVerdict.Valid
                && other.Target == record.Target;
            Assert.False(isGood, $"bit {bit}");
        }
    }

    [Fact]
    public void Parsers_survive_random_bytes_giant_lengths_and_deep_nesting()
    {
        SeededRandom random = new(2);
        byte[] noise = new byte[1_300];
        byte[] nested = new byte[1_200];
        Array.Fill(nested, (byte)0x81);
        byte[] giant = [0xA1, 0x00, 0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        for (int i = 0; i < 500; i++)
        {
            random.Fill(noise);
            Feed(noise.AsSpan(0, random.NextInt32(noise.Length)));
        }

        Feed(nested);
        Feed(giant);
    }

    [Fact]
    public void Put_of_a_record_not_delegated_expired_or_too_far_ahead_is_refused()
    {
        Assert.Equal(PutOutcome.Invalid, Put(new Owners(1, 1, uses: DelegationUses.Session).Sign(1, "a")));
        Assert.Equal(PutOutcome.Expired, Put(new Owners(1, 1).Sign(1, "a", lifetimeMinutes: 0)));
        Assert.Equal(PutOutcome.Expired, Put(new Owners(1, 1).Sign(1, "a", lifetimeMinutes: 126)));
        Assert.Equal(0, _store.Count);
    }

    [Fact]
    public void Put_of_a_seventeenth_device_is_refused_and_a_known_one_still_renews()
    {
        for (byte device = 1; device <= RecordStore.MaxDevicesOfTarget; device++)
        {
            Assert.Equal(PutOutcome.Stored, Put(new Owners(1, device).Sign(1, "a")));
        }

        Assert.Equal(PutOutcome.Full, Put(new Owners(1, 99).Sign(1, "a")));
        Assert.Equal(PutOutcome.Stored, Put(new Owners(1, 3).Sign(2, "b")));
    }

    [Fact]
    public void Put_of_any_number_of_strangers_from_one_source_does_not_grow_the_store_beyond_its_quota()
    {
        for (int i = 0; i < RecordStore.MaxRecordsOfSource + 200; i++)
        {
            _ = Put(ImmutableRecord.Create(BitConverter.GetBytes(i)));
        }

        Assert.Equal(RecordStore.MaxRecordsOfSource, _store.Count);
        _store.Expire(DhtNetwork.Epoch + TimeSpan.FromHours(3));
        Assert.Equal((0, 0), (_store.Count, _store.TotalBytes));
    }

    [Fact]
    public void Put_beyond_the_verification_budget_is_busy_and_costs_no_known_record_its_renewal()
    {
        var known = ImmutableRecord.Create("known"u8);
        Assert.Equal(PutOutcome.Stored, Put(known));
        List<PutOutcome> outcomes = [.. Enumerable.Range(0, 5_000).Select(i => PutFrom(ImmutableRecord.Create(BitConverter.GetBytes(i)), i, Instant.Zero))];

        Assert.Equal((int)RecordStore.VerificationRate.Burst - 1, outcomes.Count(outcome => outcome == PutOutcome.Stored));
        Assert.All(outcomes.Skip((int)RecordStore.VerificationRate.Burst), outcome => Assert.Equal(PutOutcome.Busy, outcome));
        Assert.Equal(PutOutcome.Stored, Put(known));
        Assert.Equal(PutOutcome.Stored, PutFrom(ImmutableRecord.Create("a second later"u8), 9, Instant.Zero + TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void Put_of_a_million_records_keeps_the_nearest_within_count_bytes_and_memory()
    {
        const int Records = 1_000_000;
        const int MaxGrowthBytes = 48_000_000; // 16,384 records of small values and their indices
        DhtKey centre = DhtKey.Random(new SeededRandom(1));
        long before = GC.GetTotalMemory(forceFullCollection: true);
        int nearestRefused = 0;
        for (int i = 0; i < Records; i++)
        {
            Instant now = Instant.Zero + TimeSpan.FromMilliseconds(2 * i); // within the verification budget
            var record = ImmutableRecord.Create(BitConverter.GetBytes(i));
            PutOutcome outcome = PutFrom(record, i % 60_000, now);
            Assert.True(outcome is PutOutcome.Stored or PutOutcome.Full, $"{i}: {outcome}");
            nearestRefused += outcome == PutOutcome.Full && record.Target.DistanceTo(centre).SharedBits > 8 ? 1 : 0;
        }

        long growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.Equal(RecordStore.MaxRecords, _store.Count);
        Assert.InRange(_store.TotalBytes, 1, RecordStore.MaxTotalBytes);
        Assert.InRange(growth, long.MinValue, MaxGrowthBytes);
        Assert.Equal(0, nearestRefused);
        Assert.All(_store.Records(), kept => Assert.True(kept.Target.DistanceTo(centre).SharedBits >= 5, "of a million the nearest sixtieth is kept"));
    }

    [Fact]
    public void Put_of_a_million_signers_is_verified_within_the_budget_and_keeps_no_forgery()
    {
        const int Signers = 1_000_000;
        const int MaxGrowthBytes = 8_000_000;
        Owners[] honest = [.. Enumerable.Range(1, 40).Select(owner => new Owners((byte)owner, 1))];
        Assert.All(honest, (owner, i) => Assert.Equal(PutOutcome.Stored, PutFrom(owner.Sign(1, "true"), i, Instant.Zero)));
        byte[] model = honest[0].Sign(2, "forged").Encoded.ToArray();
        int key = model.AsSpan().IndexOf(honest[0].Owner.PublicKey.Span) + 1;
        SeededRandom random = new(6);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        Dictionary<PutOutcome, int> outcomes = [];
        TimeSpan took = TimeSpan.Zero;
        for (int i = 0; i < Signers; i++)
        {
            random.Fill(model.AsSpan(key, OwnerPublicKey.Bytes - 1)); // another owner, at another target, who never signed
            Assert.True(DhtRecord.TryParse(model, out DhtRecord? record));
            PutOutcome outcome = PutFrom(record, i % 60_000, Instant.Zero + took);
            outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
            took += TimeSpan.FromMicroseconds(20); // 50,000 a second
        }

        double budget = RecordStore.VerificationRate.Burst + (RecordStore.VerificationRate.PerSecond * took.TotalSeconds);
        Assert.Equal([PutOutcome.Invalid, PutOutcome.Busy], outcomes.Keys.Order());
        Assert.InRange(outcomes[PutOutcome.Invalid], 1, budget);
        Assert.Equal(honest.Length, _store.Count);
        Assert.All(honest, (owner, i) => Assert.Equal(PutOutcome.Stored, PutFrom(owner.Sign(1, "true"), i, Instant.Zero + took)));
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, MaxGrowthBytes);
    }

    [Fact]
    public void Put_of_one_owner_at_many_targets_is_bounded()
    {
        Owners owner = new(1, 1);
        PutOutcome[] outcomes = [.. Enumerable.Range(0, RecordStore.MaxRecordsOfOwner + 20).Select(i => PutFrom(owner.Sign(1, "a", salt: $"{i}"), i, Instant.Zero))];
        Assert.Equal(RecordStore.MaxRecordsOfOwner, outcomes.Count(outcome => outcome == PutOutcome.Stored));
        Assert.All(outcomes.Skip(RecordStore.MaxRecordsOfOwner), outcome => Assert.Equal(PutOutcome.Full, outcome));
    }

    private static void Feed(ReadOnlySpan<byte> bytes)
    {
        DhtTargets.Record(bytes);
        DhtTargets.ContactItem(bytes);
        DhtTargets.Question(bytes);
        DhtTargets.Answer(bytes);
        DhtTargets.Bodies(bytes);
    }

    private PutOutcome PutFrom(DhtRecord record, int source, Instant now) =>
        _store.Put(now, DhtNetwork.Epoch, record, record.Target, DhtNetwork.AddressOf(source), null);

    private PutOutcome Put(DhtRecord record) => _store.Put(Instant.Zero, DhtNetwork.Epoch, record, record.Target, Source, null);
}
