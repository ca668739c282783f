using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Node.Relay;

namespace Carrier.Node.Homes;

/// <summary>The serving side of a home: keeps devices registered and opens relay channels to them.</summary>
/// <remarks>
/// Sits behind the sealed layer, which has opened the question and, for these methods, checked its address token: <c>remote</c> is proven.
/// An address is never taken from a body, so a home sends only to where a registration or a dialler itself came from.
/// </remarks>
public sealed class HomeServer
{
    /// <summary>An answer buffer this long always suffices.</summary>
    public const int MaxAnswerBytes = RegisterAnswer.MaxBytes;

    private readonly PublicKey _transportKey;
    private readonly DeviceVerifier _verify;
    private readonly RelayMachine _relay;
    private readonly HomeLimits _limits;
    private readonly Registrations _registrations;
    private readonly EndpointBuckets _proofsPerSourceUnit;
    private readonly DropCounters _drops;
    private TokenBucket _proofs;

    public HomeServer(
        PublicKey transportKey, DeviceVerifier verify, RelayMachine relay, HomeLimits limits, RandomSource random, DropCounters drops)
    {
        ArgumentNullException.ThrowIfNull(limits);
        (_transportKey, _verify, _relay, _limits, _drops) = (transportKey, verify, relay, limits, drops);
        _registrations = new(limits);
        _proofsPerSourceUnit = new(limits.ProofsPerSourceUnit, random);
    }

    /// <summary>How long a registration holds; clients renew at half of it.</summary>
    public static TimeSpan Lease => TimeSpan.FromMinutes(5);

    /// <summary>How far a signed time may be from ours, either way.</summary>
    public static TimeSpan MaxClockSkew => TimeSpan.FromMinutes(10);

    public int RegistrationCount => _registrations.Count;

    public Instant NextDeadline => _registrations.NextExpiry;

    /// <summary>Answers one question body into <paramref name="answer"/>; returns its length, zero when there is nothing to answer.</summary>
    public int Answer(Instant now, UnixTime wall, Endpoint remote, HomeMethod method, ReadOnlySpan<byte> body, Span<byte> answer)
    {
        if (remote.Port == 0 || remote.Scope == AddressScope.Unusable)
        {
            _drops.Count(DropReason.ScopeMismatch);
            return 0;
        }

        switch (method)
        {
            case HomeMethod.Register or HomeMethod.Unregister when RegisterQuestion.TryParse(body, out RegisterQuestion question):
                RegisterStatus status = Prove(now, wall, remote, method, question, out ProvenDevice device);
                UnixTime time = wall;
                if (status == RegisterStatus.Done && IsOutdated(device, question.Time, out UnixTime newest))
                {
                    _drops.Count(DropReason.Expired);
                    (status, time) = (RegisterStatus.ClockSkew, newest > wall ? newest : wall);
                }
                else if (status == RegisterStatus.Done)
                {
                    status = method == HomeMethod.Register ? _registrations.Put(device, remote, now + Lease, question.Time) : Leave(device);
                }

                return new RegisterAnswer(status, Lease, remote, time).Encode(answer);
            case HomeMethod.Connect when ConnectQuestion.TryParse(body, out ConnectQuestion connect):
                ConnectStatus outcome = Connect(now, remote, connect, out ulong channel);
                return new ConnectAnswer(outcome, channel, RelayMachine.IdleLifetime).Encode(answer);
            default:
                _drops.Count(DropReason.Malformed);
                return 0;
        }
    }

    public void HandleTimeout(Instant now)
    {
        while (_registrations.TryTakeExpired(now, out Registration? expired))
        {
            _relay.CloseAll(expired.Client);
        }
    }

    /// <summary>The device of that exchange key, where it is registered at the endpoint a question came from.</summary>
    internal bool TryFind(Instant now, PublicKey device, Endpoint remote, [MaybeNullWhen(false)] out Registration registration) =>
        _registrations.TryFind(device, out registration) && registration.Expiry > now && registration.Client.Endpoint == remote;

    private RegisterStatus Prove(
        Instant now, UnixTime wall, Endpoint remote, HomeMethod method, in RegisterQuestion question, out ProvenDevice device)
    {
        device = default;
        TimeSpan skew = TimeSpan.FromSeconds(Math.Min(Math.Abs((double)question.Time.Seconds - wall.Seconds), uint.MaxValue));
        if (skew > MaxClockSkew)
        {
            _drops.Count(DropReason.Expired);
            return RegisterStatus.ClockSkew;
        }

        if (!_proofsPerSourceUnit.TrySpend(now, remote.SourceUnit) || !_proofs.TrySpend(now, _limits.Proofs))
        {
            _drops.Count(DropReason.RateLimited);
            return RegisterStatus.OverQuota;
        }

        Span<byte> message = stackalloc byte[HomeProof.Bytes];
        HomeProof.Write(message, method, _transportKey, question.Time);
        if (!_verify(question.Delegation, message, question.Signature, wall, out device))
        {
            _drops.Count(DropReason.BadSignature);
            return RegisterStatus.BadProof;
        }

        return RegisterStatus.Done;
    }

    /// <summary>
    /// Whether the device has said something newer since. Who holds a farewell or a registration back on its way must not undo with it what the device did
    /// after that; a device whose clock went back is told the time it has to sign.
    /// </summary>
    private bool IsOutdated(in ProvenDevice device, UnixTime signed, out UnixTime newest)
    {
        newest = _registrations.TryFind(device.ExchangeKey, out Registration? registration) ? registration.SignedAt : default;
        return signed < newest;
    }

    private RegisterStatus Leave(in ProvenDevice device)
    {
        if (_registrations.TryFind(device.ExchangeKey, out Registration? registration))
        {
            _relay.CloseAll(registration.Client);
            _registrations.Remove(registration);
        }

        return RegisterStatus.Done;
    }

    private ConnectStatus Connect(Instant now, Endpoint remote, in ConnectQuestion question, out ulong channel)
    {
        channel = 0;
        if (!_registrations.TryFind(question.Target, out Registration? registration) || registration.Expiry <= now)
        {
            return ConnectStatus.NotHere;
        }

        RelayClient client = registration.Client;
        if (!client.Introductions.TrySpend(now, _limits.IntroductionsPerDevice))
        {
            _drops.Count(DropReason.RateLimited);
            return ConnectStatus.OverQuota;
        }

        RelayOpening opening = _relay.TryOpen(now, remote, client, out channel);
        if (opening == RelayOpening.Opened)
        {
            _relay.Introduce(now, remote, channel, question.First);
            return ConnectStatus.Connected;
        }

        _drops.Count(opening == RelayOpening.Full ? DropReason.Full : DropReason.OverBudget);
        return opening == RelayOpening.Full ? ConnectStatus.Full : ConnectStatus.OverQuota;
    }
}
