using System.Buffers.Binary;
using System.Text;
using Carrier.Core;
using Carrier.Nat.PortMapping;
using Carrier.Nat.PortMapping.Pcp;
using Carrier.Nat.PortMapping.Upnp;

namespace Carrier.Tests.Nat.PortMapping;

/// <summary>A gateway in virtual time around one machine: answers what the protocols it speaks ask, keeps mappings, and can restart.</summary>
internal sealed class FakeGateway
{
    public static readonly GatewayRoute Route = new(Addresses.Of("192.168.1.1:0"), Addresses.Of("192.168.1.2:4242"));

    private readonly byte[] _buffer = new byte[2048];
    private Instant _startedAt = Instant.Zero;

    public FakeGateway()
    {
        Machine = new PortMappingMachine(new SeededRandom(), Drops);
    }

    public DropCounters Drops { get; } = new();

    public PortMappingMachine Machine { get; }

    public Instant Now { get; private set; } = Addresses.At(1000);

    public bool SpeaksPcp { get; set; }

    public bool SpeaksNatPmp { get; set; }

    public bool SpeaksUpnp { get; set; }

    public Endpoint External { get; set; } = Addresses.Of("203.0.113.7:0");

    public TimeSpan Granted { get; set; } = TimeSpan.FromHours(1);

    public byte PcpResult { get; set; }

    public GatewayAddress Location { get; set; } = GatewayCodecTests.Address("http://192.168.1.1:5555/rootDesc.xml");

    /// <summary>UPnP errors to answer the next additions with.</summary>
    public Queue<int> AddErrors { get; } = new();

    /// <summary>What UPnP serves as a description.</summary>
    public byte[] Description { get; set; } = GatewayCodecTests.DescriptionVector();

    /// <summary>The external port of the mapping that stands, zero for none.</summary>
    public int Mapped { get; private set; }

    /// <summary>Requests that made, prolonged or deleted a mapping.</summary>
    public List<string> Calls { get; } = [];

    public List<Endpoint> Told { get; } = [];

    public bool ToldDoubleNat { get; private set; }

    public List<Endpoint> Hosts { get; } = [];

    public int Sent { get; private set; }

    public void Begin() => Do(() => Machine.SetRoute(Now, Route));

    public void Disconnect() => Do(() => Machine.SetRoute(Now, null));

    public void Restart()
    {
        _startedAt = Now;
        Mapped = 0;
    }

    public void Release() => Do(() => Machine.Release(Now));

    /// <summary>Lets virtual time pass, every deadline kept.</summary>
    public void Run(TimeSpan time)
    {
        Instant end = Now + time;
        for (int steps = 0; Machine.NextDeadline <= end; steps++)
        {
            Assert.True(steps < 10_000, "the machine keeps waking itself");
            Now = Instant.Max(Now, Machine.NextDeadline);
            Do(() => Machine.HandleTimeout(Now));
        }

        Now = end;
    }

    public void Hear(Endpoint from, byte[] datagram) => Do(() => Machine.Handle(Now, from, datagram));

    private void Do(Action action)
    {
        action();
        for (bool any = true; any;)
        {
            any = false;
            while (Machine.TryTransmit(Now, _buffer, out Transmit transmit))
            {
                any = true;
                Sent++;
                Answer(transmit.Path.Remote, _buffer.AsSpan(0, transmit.Bytes).ToArray());
            }

            while (Machine.TryEffect(out PortMappingEffect effect))
            {
                any = true;
                switch (effect.Kind)
                {
                    case PortMappingEffectKind.Exchange:
                        AnswerHttp(effect.Exchange);
                        break;
                    case PortMappingEffectKind.Changed:
                        Told.Add(effect.External);
                        break;
                    default:
                        ToldDoubleNat = true;
                        break;
                }
            }
        }
    }

    private void Answer(Endpoint to, byte[] request)
    {
        if (to.Port == SsdpSearch.Port)
        {
            if (SpeaksUpnp && to.WithPort(0) == Route.Gateway)
            {
                Machine.Handle(Now, to, Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nLOCATION: {Location}\r\n\r\n"));
            }
        }
        else if (request[0] == 2 && SpeaksPcp)
        {
            Machine.Handle(Now, to, AnswerPcp(request));
        }
        else if (request[0] == 0 && SpeaksNatPmp)
        {
            Machine.Handle(Now, to, AnswerNatPmp(request));
        }
        else if (SpeaksNatPmp)
        {
            Machine.Handle(Now, to, [0, 0x80, 0, 1, 0, 0, 0, 0]);
        }
    }

    private byte[] AnswerPcp(byte[] request)
    {
        byte[] answer = (byte[])request.Clone();
        answer[1] |= 0x80;
        answer.AsSpan(2, 22).Clear();
        WriteEpoch(answer.AsSpan(8));
        if (request[1] == 1)
        {
            uint lifetime = BinaryPrimitives.ReadUInt32BigEndian(request.AsSpan(4));
            Calls.Add(lifetime == 0 ? "pcp delete" : "pcp map");
            answer[3] = PcpResult;
            Mapped = lifetime == 0 || PcpResult != 0 ? 0 : 4343;
            BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(4), lifetime == 0 ? 0 : (uint)Granted.TotalSeconds);
            BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(42), (ushort)Mapped);
            PcpAddress.Write(External, answer.AsSpan(44));
        }

        return answer;
    }

    private byte[] AnswerNatPmp(byte[] request)
    {
        byte[] answer = new byte[request[1] == 0 ? 12 : 16];
        answer[1] = (byte)(request[1] | 0x80);
        WriteEpoch(answer.AsSpan(4));
        if (request[1] == 0)
        {
            _ = External.WriteAddress(answer.AsSpan(8));
            return answer;
        }

        bool deletes = BinaryPrimitives.ReadUInt32BigEndian(request.AsSpan(8)) == 0;
        Calls.Add(deletes ? "natpmp delete" : "natpmp map");
        Mapped = deletes ? 0 : 4343;
        request.AsSpan(4, 2).CopyTo(answer.AsSpan(8));
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(10), (ushort)Mapped);
        BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(12), deletes ? 0 : (uint)Granted.TotalSeconds);
        return answer;
    }

    private void AnswerHttp(in HttpExchange exchange)
    {
        Hosts.Add(exchange.Host);
        string request = Encoding.ASCII.GetString(exchange.Request.Span);
        (int status, byte[] body) = request switch
        {
            _ when request.StartsWith("GET ", StringComparison.Ordinal) => (200, Description),
            _ when request.Contains("#GetExternalIPAddress", StringComparison.Ordinal) =>
                (200, GatewayCodecTests.Soap($"<NewExternalIPAddress>{External.ToIPEndPoint().Address}</NewExternalIPAddress>")),
            _ when request.Contains("#Add", StringComparison.Ordinal) && AddErrors.TryDequeue(out int error) =>
                (500, GatewayCodecTests.Soap($"<errorCode>{error}</errorCode>")),
            _ => (200, GatewayCodecTests.Soap(request.Contains("#AddAny", StringComparison.Ordinal) ? "<NewReservedPort>4343</NewReservedPort>" : "")),
        };
        if (request.Contains("PortMapping", StringComparison.Ordinal))
        {
            string action = request[(request.IndexOf('#', StringComparison.Ordinal) + 1)..];
            Calls.Add($"upnp {action[..action.IndexOf('"', StringComparison.Ordinal)]}");
            Mapped = action.StartsWith("Delete", StringComparison.Ordinal) ? 0 : 4343;
        }

        Machine.HandleExchange(Now, exchange.Id, status, body);
    }

    private void WriteEpoch(Span<byte> destination) => BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)(Now - _startedAt).TotalSeconds);
}
