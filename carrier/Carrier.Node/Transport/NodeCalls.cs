using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht.Rpc;
using Carrier.Node.Addresses;
using Carrier.Node.Dialing;
using Carrier.Node.Homes;
using Carrier.Node.Peers;

namespace Carrier.Node.Transport;

/// <summary>The node's own sealed calls (register, unregister, connect, knock, proxy get and put): who asked, so that the answer finds its way back.</summary>
internal sealed class NodeCalls(RpcMachine rpc, HomeMachine? homes, Dialer? dialer, NatTest? natTest, MappingTest? mappingTest, DhtProxyClient? proxies)
{
    private readonly Dictionary<CallId, Pending> _pending = [];
    private readonly byte[] _body = new byte[RpcMachine.MaxQuestionBodyBytes];

    /// <summary>Puts what the homes and the dials want asked.</summary>
    public void Ask(Instant now)
    {
        while (dialer is not null && dialer.TryConnectRequest(out ConnectRequest request))
        {
            if (!TryAskConnect(now, request))
            {
                dialer.NotConnected(now, request);
            }
        }

        while (dialer is not null && dialer.TryReconnectRequest(out ReconnectRequest request))
        {
            if (Reconnections.TryWrite(now, request, _body, out int bytes)
                && rpc.TryAsk(now, request.Home.Key, request.Home.Endpoint, (int)HomeMethod.Connect, _body.AsSpan(0, bytes), AskOptions.None, out CallId call))
            {
                _pending.Add(call, new Pending(now, default, null, request));
            }
        }

        while (natTest?.TryRequest(out KnockRequest knock) is true)
        {
            KnockQuestion question = new() { Port = knock.Port, TransactionId = knock.TransactionId, FromOtherPort = knock.FromOtherPort };
            if (rpc.TryAsk(now, knock.Home.Key, knock.Home.Endpoint, (int)HomeMethod.Knock, _body.AsSpan(0, question.Encode(_body)), AskOptions.None, out CallId call))
            {
                _pending.Add(call, new Pending(now, default, null, Knock: knock));
            }
        }

        while (mappingTest?.TryRequest(out KnockLaterRequest later) is true)
        {
            KnockLaterQuestion question = new() { Device = later.Device, TransactionId = later.TransactionId, DelaySeconds = later.DelaySeconds };
            if (rpc.TryAsk(now, later.Home.Key, later.Home.Endpoint, (int)HomeMethod.KnockLater, _body.AsSpan(0, question.Encode(_body)), AskOptions.None, out CallId call))
            {
                _pending.Add(call, new Pending(now, default, null, KnockLater: later));
            }
            else
            {
                mappingTest.Refused(now, later);
            }
        }

        while (proxies is not null && proxies.TryRequest(out ProxyErrand? errand))
        {
            int bytes = proxies.Encode(errand, _body);
            if (rpc.TryAsk(now, errand.Home.Key, errand.Home.Endpoint, (int)errand.Method, _body.AsSpan(0, bytes), AskOptions.Slow, out CallId call))
            {
                _pending.Add(call, new Pending(now, default, null, Errand: errand));
            }
            else
            {
                proxies.Failed(now, errand, Refusal.Busy);
            }
        }
    }

    public void AskHome(Instant now, in HomeEffect effect)
    {
        if (rpc.TryAsk(now, effect.Home.Key, effect.Home.Endpoint, (int)effect.Method, effect.Body.Span, AskOptions.None, out CallId call))
        {
            _pending.Add(call, new Pending(now, effect.Home.Key, null));
        }
        else
        {
            homes!.Failed(now, effect.Home.Key);
        }
    }

    public void Answered(Instant now, in RpcEffect effect)
    {
        if (!_pending.Remove(effect.Call, out Pending pending))
        {
            return;
        }

        if (pending.Reconnect is { } lost)
        {
            if (ConnectAnswer.TryParse(effect.Body.Span, out ConnectAnswer found))
            {
                dialer!.Reconnected(now, lost, found);
            }
        }
        else if (pending.Knock is { } knock)
        {
            if (KnockAnswer.TryParse(effect.Body.Span, out KnockAnswer knocked))
            {
                natTest!.Answered(knock, knocked);
            }
        }
        else if (pending.KnockLater is { } later)
        {
            if (KnockAnswer.TryParse(effect.Body.Span, out KnockAnswer taken))
            {
                mappingTest!.Answered(now, later, taken);
            }
            else
            {
                mappingTest!.Refused(now, later);
            }
        }
        else if (pending.Errand is { } errand)
        {
            proxies!.Answered(now, errand, effect.Body.Span);
        }
        else if (pending.Connect is not { } request)
        {
            homes!.Answered(now, pending.Home, effect.Body.Span, now - pending.AskedAt);
        }
        else if (ConnectAnswer.TryParse(effect.Body.Span, out ConnectAnswer answer))
        {
            dialer!.Connected(now, request, answer);
        }
        else
        {
            dialer!.NotConnected(now, request);
        }
    }

    public void Failed(Instant now, in RpcEffect effect)
    {
        if (!_pending.Remove(effect.Call, out Pending pending))
        {
            return;
        }

        if (pending.Connect is { } request)
        {
            dialer!.NotConnected(now, request);
        }
        else if (pending.Errand is { } errand)
        {
            proxies!.Failed(now, errand, effect.Refusal);
        }
        else if (pending.KnockLater is { } later)
        {
            mappingTest!.Refused(now, later);
        }
        else if (pending is { Reconnect: null, Knock: null })
        {
            homes!.Failed(now, pending.Home);
        }
    }

    // The channel is kept for a pair that is joined already, so asking twice after a lost answer does no harm.
    private bool TryAskConnect(Instant now, in ConnectRequest request)
    {
        Span<byte> initiation = stackalloc byte[ConnectQuestion.MaxFirstBytes];
        if (!request.Attempt.IsAlive || !request.Attempt.Initiator.TryWrite(isPadded: false, initiation, out int initiationBytes))
        {
            return false;
        }

        ConnectQuestion question = new() { Target = request.Attempt.Device.ExchangeKey, First = initiation[..initiationBytes] };
        int bytes = question.Encode(_body);
        if (bytes == 0 || !rpc.TryAsk(now, request.Home.Key, request.Home.Endpoint, (int)HomeMethod.Connect, _body.AsSpan(0, bytes), AskOptions.None, out CallId call))
        {
            return false;
        }

        _pending.Add(call, new Pending(now, default, request));
        return true;
    }

    private readonly record struct Pending(Instant AskedAt, PublicKey Home, ConnectRequest? Connect, ReconnectRequest? Reconnect = null, KnockRequest? Knock = null, KnockLaterRequest? KnockLater = null, ProxyErrand? Errand = null);
}
