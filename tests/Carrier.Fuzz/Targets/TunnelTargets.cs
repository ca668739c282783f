using System.Buffers;
using Carrier.Agent.Tunnels;
using Carrier.Agent.Tunnels.Forwarding;
using Carrier.Core.Identity;

namespace Carrier.Fuzz.Targets;

/// <summary>Parsers of services and forwards: what peers send over a tunnel's stream, and what local programs say to SOCKS.</summary>
public static class TunnelTargets
{
    public static void Requests(ReadOnlySpan<byte> data)
    {
        if (!TunnelRequest.TryParse(data, out TunnelRequest request))
        {
            return;
        }

        Assert.InRange(request.Service.Text.Length, request.Kind == TunnelKind.Presence ? 0 : 1, ServiceName.MaxLength);
        Assert.True(request.Flow <= TunnelLimits.MaxFlowId);
        Span<byte> again = stackalloc byte[TunnelLimits.MaxRequestBytes];
        Assert.True(TunnelRequest.TryParse(again[..request.Write(again)], out TunnelRequest back));
        Assert.Equal(request, back);
    }

    public static void Answers(ReadOnlySpan<byte> data)
    {
        if (TunnelAnswer.TryParse(data, out TunnelOutcome outcome))
        {
            Assert.True(Enum.IsDefined(outcome));
        }
    }

    /// <summary>Messages in a row: none is longer than allowed, none overlaps, and what is incomplete stays whole.</summary>
    public static void Messages(ReadOnlySpan<byte> data)
    {
        const int MaxBytes = 300;
        var buffer = new ReadOnlySequence<byte>(data.ToArray());
        long left = buffer.Length;
        while (Framing.TryTake(ref buffer, MaxBytes, out ReadOnlySequence<byte> body) == FramingResult.Taken)
        {
            Assert.True(body.Length <= MaxBytes);
            Assert.True(buffer.Length < left && left - buffer.Length > body.Length);
            left = buffer.Length;
        }

        Assert.Equal(left, buffer.Length);
    }

    public static void Datagrams(ReadOnlySpan<byte> data)
    {
        if (FlowTable.TryReadId(data, out ulong id, out int prefixBytes))
        {
            Assert.True(id <= TunnelLimits.MaxFlowId);
            Assert.InRange(prefixBytes, 1, Math.Min(8, data.Length));
        }
    }

    public static void SocksRequests(ReadOnlySpan<byte> data)
    {
        if (SocksGreeting.TryRead(data, out TrustId peer, out ServiceName service) == SocksReply.Succeeded)
        {
            Assert.NotEqual(default, peer.ToString());
            Assert.True(ServiceName.TryParse(service.Text, out ServiceName back) && back == service);
        }
    }
}
