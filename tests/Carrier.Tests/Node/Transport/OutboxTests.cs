using Carrier.Core;
using Carrier.Node.Transport;
using CsCheck;

namespace Carrier.Tests.Node.Transport;

public class OutboxTests
{
    private static readonly NetworkPath Path = new(Endpoint.FromIPv4(0x01020304, 5));

    [Fact]
    public void TryTransmit_after_random_adds_and_sends_keeps_every_accepted_datagram_in_order() =>
        Gen.Int[-20, 1400].Array[1, 3000].Sample(steps =>
        {
            DropCounters drops = new();
            Outbox outbox = new(drops);
            Queue<byte[]> model = new();
            byte[] buffer = new byte[2048];
            for (int i = 0; i < steps.Length; i++)
            {
                if (steps[i] < 0)
                {
                    Assert.Equal(model.Count > 0, outbox.TryTransmit(buffer, out Transmit sent));
                    if (model.Count > 0)
                    {
                        Assert.Equal(model.Dequeue(), buffer[..sent.Bytes]);
                    }

                    continue;
                }

                byte[] datagram = new byte[steps[i]];
                Array.Fill(datagram, (byte)i);
                long full = drops[DropReason.Full];
                outbox.Add(Path, datagram);
                if (drops[DropReason.Full] == full)
                {
                    model.Enqueue(datagram);
                }
            }

            while (model.TryDequeue(out byte[]? expected))
            {
                Assert.True(outbox.TryTransmit(buffer, out Transmit sent));
                Assert.Equal(expected, buffer[..sent.Bytes]);
            }

            Assert.True(outbox.IsEmpty);
        }, iter: 200);

    [Fact]
    public void Add_when_full_counts_and_drops()
    {
        DropCounters drops = new();
        Outbox outbox = new(drops);
        for (int i = 0; i < 2000; i++)
        {
            outbox.Add(Path, new byte[1000]);
        }

        Assert.True(drops[DropReason.Full] > 0);
    }

    [Fact]
    public void Add_on_a_relayed_path_writes_the_relay_header_first()
    {
        Outbox outbox = new(new DropCounters());
        outbox.Add(Path with { RelayChannel = 0x0102030405060708 }, [9]);
        byte[] buffer = new byte[64];
        Assert.True(outbox.TryTransmit(buffer, out Transmit sent));
        Assert.Equal("4201020304050607080 9".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(buffer, 0, sent.Bytes));
    }
}
