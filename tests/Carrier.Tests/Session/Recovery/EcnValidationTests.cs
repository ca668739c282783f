using Carrier.Core.Session.Recovery;

namespace Carrier.Tests.Session.Recovery;

/// <summary>RFC 9000 §13.4.2: each way a path or a peer can be unfit for marks.</summary>
public class EcnValidationTests
{
    private readonly EcnValidation _ecn = new();

    [Fact]
    public void Marks_ten_packets_then_waits_and_goes_on_when_they_were_counted()
    {
        Assert.True(_ecn.Marks);
        _ecn.OnMarkedSent(EcnValidation.TestingPackets);
        Assert.False(_ecn.Marks);
        Assert.False(_ecn.OnAck(new EcnCounts(10, 0, 0), 10, advances: true));
        Assert.True(_ecn.Marks);
    }

    [Fact]
    public void A_growing_count_of_congestion_is_congestion_once()
    {
        Validate();
        _ecn.OnMarkedSent(10);
        Assert.True(_ecn.OnAck(new EcnCounts(14, 0, 1), 5, advances: true));
        Assert.False(_ecn.OnAck(new EcnCounts(19, 0, 1), 5, advances: true));
        Assert.True(_ecn.Marks);
    }

    [Theory]
    [InlineData(10, 0, 0)] // bleached: ten more were acknowledged and none counted
    [InlineData(9, 0, 1)] // fell
    [InlineData(20, 1, 0)] // a mark we never send
    [InlineData(21, 0, 0)] // more than were sent
    [InlineData(17, 0, 2)] // one vanished
    public void Counts_that_cannot_be_are_the_end_of_marking(ulong capable0, ulong capable1, ulong congested)
    {
        Validate();
        _ecn.OnMarkedSent(10);
        Assert.False(_ecn.OnAck(new EcnCounts(capable0, capable1, congested), 10, advances: true));
        Assert.True(_ecn.HasFailed);
        Assert.False(_ecn.Marks);
        Assert.False(_ecn.OnAck(new EcnCounts(100, 0, 100), 1, advances: true));
    }

    [Fact]
    public void A_peer_that_does_not_count_is_the_end_of_marking()
    {
        _ecn.OnMarkedSent(3);
        Assert.False(_ecn.OnAck(null, 0, advances: true)); // of what was not marked
        Assert.False(_ecn.HasFailed);
        Assert.False(_ecn.OnAck(null, 3, advances: true));
        Assert.True(_ecn.HasFailed);
    }

    [Fact]
    public void An_ack_that_came_late_is_not_judged()
    {
        Validate();
        _ecn.OnMarkedSent(10);
        Assert.False(_ecn.OnAck(new EcnCounts(5, 0, 0), 2, advances: false));
        Assert.False(_ecn.OnAck(null, 2, advances: false));
        Assert.False(_ecn.HasFailed);
    }

    [Fact]
    public void A_lost_ack_is_made_up_for_by_the_next()
    {
        Validate();
        _ecn.OnMarkedSent(10);
        Assert.False(_ecn.OnAck(new EcnCounts(20, 0, 0), 2, advances: true));
        Assert.True(_ecn.Marks);
    }

    [Fact]
    public void Silence_before_the_path_is_proven_is_blamed_on_marks_and_later_not()
    {
        _ecn.OnMarkedSent(1);
        _ecn.OnProbeTimeout();
        Assert.True(_ecn.HasFailed);

        EcnValidation proven = new();
        proven.OnMarkedSent(1);
        proven.OnAck(new EcnCounts(1, 0, 0), 1, advances: true);
        proven.OnProbeTimeout();
        Assert.True(proven.Marks);
    }

    [Fact]
    public void Another_path_is_tested_anew()
    {
        _ecn.OnMarkedSent(1);
        _ecn.OnProbeTimeout();
        _ecn.Restart();
        Assert.True(_ecn.Marks);
    }

    private void Validate()
    {
        _ecn.OnMarkedSent(10);
        Assert.False(_ecn.OnAck(new EcnCounts(10, 0, 0), 10, advances: true));
    }
}
