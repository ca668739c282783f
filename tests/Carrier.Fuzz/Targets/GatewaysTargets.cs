using Carrier.Core;
using Carrier.Nat.PortMapping;
using Carrier.Nat.PortMapping.NatPmp;
using Carrier.Nat.PortMapping.Pcp;
using Carrier.Nat.PortMapping.Upnp;

namespace Carrier.Fuzz.Targets;

/// <summary>Fuzz targets of everything a gateway may send: PCP, NAT-PMP, SSDP, HTTP, descriptions, SOAP, and the whole machine fed with all of it.</summary>
public static class GatewaysTargets
{
    private static readonly Endpoint Gateway = Endpoint.FromIPv4(0xC0A8_0101, 0);
    private static readonly GatewayRoute Route = new(Gateway, Endpoint.FromIPv4(0xC0A8_0102, 4242));
    private static readonly GatewayAddress Location = new(Gateway.WithPort(5555), "/rootDesc.xml");

    public static void Pcp(ReadOnlySpan<byte> data)
    {
        if (PcpAnswer.TryParse(data, out PcpAnswer answer))
        {
            Assert.InRange(data.Length, PcpRequest.AnnounceBytes, PcpAnswer.MaxBytes);
            Assert.True(answer.Opcode is PcpOpcode.Announce or PcpOpcode.Map);
            Assert.True(answer.Lifetime >= TimeSpan.Zero);
        }
    }

    public static void NatPmp(ReadOnlySpan<byte> data)
    {
        if (NatPmpAnswer.TryParse(data, out NatPmpAnswer answer) && answer.Succeeded)
        {
            Assert.True(answer.External.IsIPv4);
            Assert.Equal(answer.Opcode == NatPmpOpcode.MapUdp ? 16 : 12, data.Length);
        }
    }

    public static void Ssdp(ReadOnlySpan<byte> data)
    {
        if (SsdpAnswer.TryParse(data, out SsdpAnswer answer))
        {
            Assert.True(GatewayAddress.TryParse(System.Text.Encoding.ASCII.GetBytes(answer.Location.ToString()), out GatewayAddress again));
            Assert.Equal(answer.Location, again);
            Assert.Equal(-1, answer.Location.Path.AsSpan().IndexOfAny("\r\n "));
        }
    }

    public static void Http(ReadOnlySpan<byte> data)
    {
        byte[] copy = data.ToArray();
        HttpProgress progress = HttpAnswer.Read(copy, hasEnded: true, out int status, out ReadOnlySpan<byte> body);
        Assert.True(progress != HttpProgress.Incomplete, "nothing more comes, so there is nothing to wait for");
        Assert.True(progress != HttpProgress.Complete || status is >= 100 and <= 599);
        Assert.True(body.Length <= data.Length);
    }

    public static void Description(ReadOnlySpan<byte> data)
    {
        if (IgdDescription.TryParse(data, Location, out IgdDescription description))
        {
            Assert.True(description.Service != IgdService.None);
            Assert.StartsWith("/", description.Control.Path, StringComparison.Ordinal);
        }
    }

    public static void Soap(ReadOnlySpan<byte> data)
    {
        if (IgdAnswer.TryParse(data, out IgdAnswer answer))
        {
            Assert.InRange(answer.ErrorCode, 0, 999);
            Assert.True(answer.ExternalAddress.IsNone || answer.ExternalAddress.IsIPv4);
        }
    }

    /// <summary>A script of a hostile gateway: each step is a kind of input (its first byte), a length, and the bytes of a datagram, an HTTP body or a wait.</summary>
    public static void Machine(ReadOnlySpan<byte> data)
    {
        PortMappingMachine machine = new(new SeededRandom(1), new DropCounters());
        Instant now = Instant.Zero;
        byte[] buffer = new byte[2048];
        machine.SetRoute(now, Route);
        ulong exchange = 0;
        for (int step = 0; step < 64 && data.Length >= 2; step++)
        {
            int length = Math.Min(data[1] * 4, data.Length - 2);
            ReadOnlySpan<byte> input = data.Slice(2, length);
            switch (data[0] & 3)
            {
                case 0:
                    machine.Handle(now, Gateway.WithPort(PcpRequest.ServerPort), input);
                    break;
                case 1:
                    machine.Handle(now, Gateway.WithPort(SsdpSearch.Port), input);
                    break;
                case 2:
                    machine.HandleExchange(now, exchange, data[0] > 127 ? 500 : 200, input);
                    break;
                default:
                    now += TimeSpan.FromMilliseconds(data[0] * data[0]);
                    machine.HandleTimeout(now);
                    break;
            }

            data = data[(2 + length)..];
            int sent = 0;
            while (machine.TryTransmit(now, buffer, out Transmit transmit))
            {
                Assert.InRange(transmit.Bytes, 1, buffer.Length);
                Assert.InRange(++sent, 1, 8);
            }

            int effects = 0;
            while (machine.TryEffect(out PortMappingEffect effect))
            {
                Assert.InRange(++effects, 1, 8);
                if (effect.Kind == PortMappingEffectKind.Exchange)
                {
                    exchange = effect.Exchange.Id;
                    Assert.Equal(Gateway, effect.Exchange.Host.WithPort(0));
                }
                else if (effect.Kind == PortMappingEffectKind.Changed && !effect.External.IsNone)
                {
                    Assert.Equal(AddressScope.Global, effect.External.Scope);
                }
            }

            Assert.True(machine.NextDeadline > now || machine.NextDeadline == now, "a deadline that passed was not taken");
        }
    }
}
