using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Nat.Mdns;

namespace Carrier.Tests.Nat.Mdns;

/// <summary>One link, the machines on it and everything that was sent there.</summary>
internal sealed class VirtualLink
{
    private const int Index = 3;

    private readonly List<(MdnsMachine Machine, Endpoint Address)> _machines = [];

    public Instant Now { get; private set; } = Instant.Zero + TimeSpan.FromHours(1);

    public List<(Endpoint From, Endpoint To, byte[] Message)> Sent { get; } = [];

    /// <summary>Devices found, by who looked.</summary>
    public List<(MdnsMachine By, LinkPeer Peer)> Found { get; } = [];

    public static TrustId Owner(byte number) => new([.. Enumerable.Repeat(number, TrustId.Bytes)]);

    public static byte[] DelegationOf(byte number) => [.. Enumerable.Repeat(number, 190)];

    public MdnsMachine Add(byte number)
    {
        MdnsMachine machine = new(Owner(number), DelegationOf(number), 40_000, new SeededRandom(number), new DropCounters());
        Endpoint address = Endpoint.FromIPv4(0xC0A8_0100u + number, 0);
        _machines.Add((machine, address));
        machine.SetLinks(Now, [LinkOf(number)]);
        return machine;
    }

    public static MdnsLink LinkOf(byte number) => new(Index, [new LinkAddress(Endpoint.FromIPv4(0xC0A8_0100u + number, 0), 24)]);

    /// <summary>Puts a message on the link for one machine alone.</summary>
    public void Deliver(MdnsMachine to, string source, byte[] message)
    {
        to.Handle(Now, Index, Addresses.Of(source), message);
        Exchange();
    }

    /// <summary>Lets time pass, and all that the machines do in it.</summary>
    public void RunFor(TimeSpan time)
    {
        Instant end = Now + time;
        Exchange();
        while (_machines.Select(each => each.Machine.NextDeadline).Aggregate(Instant.Never, Instant.Min) is var next && next <= end)
        {
            Now = Instant.Max(Now, next);
            _machines.ForEach(each => each.Machine.HandleTimeout(Now));
            Exchange();
        }

        Now = end;
    }

    private void Exchange()
    {
        byte[] buffer = new byte[MdnsMachine.MaxMessageBytes];
        for (bool any = true; any;)
        {
            any = false;
            foreach ((MdnsMachine machine, Endpoint address) in _machines)
            {
                while (machine.TryTransmit(buffer, out MdnsTransmit transmit))
                {
                    any = true;
                    Assert.Equal(Index, transmit.Link);
                    byte[] message = buffer[..transmit.Bytes];
                    Endpoint from = address.WithPort(MdnsMachine.Port);
                    Sent.Add((from, transmit.To, message));
                    _machines.ForEach(other =>
                    {
                        if (transmit.To == MdnsMachine.IPv4Group || transmit.To == other.Address.WithPort(MdnsMachine.Port))
                        {
                            other.Machine.Handle(Now, Index, from, message); // the sender hears itself, as on a real link
                        }
                    });
                }

                while (machine.TryEffect(out LinkPeer peer))
                {
                    Found.Add((machine, peer));
                }
            }
        }
    }
}
