using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <summary>The client side of homes: picks up to three near and unrelated public nodes, stays registered there, replaces the dead, leaves politely.</summary>
/// <remarks>
/// Keepalives are STUN Binding requests to the home: small, answered, and the answer shows at once when the NAT gave us another endpoint. Three
/// unanswered ones, or a changed endpoint, make the machine register again, which decides whether the home lives. Nothing grows
/// beyond <see cref="HomeCandidates.MaxCandidates"/> nodes and one outstanding question a home.
/// </remarks>
public sealed partial class HomeMachine
{
    /// <summary>Homes wanted: one may die and one be unreachable for a dialler.</summary>
    public const int MaxHomes = DeviceRecord.MaxHomes;

    /// <summary>Questions without a usable answer, one after another, before a home is given up.</summary>
    public const int FailuresBeforeReplaced = 2;

    private readonly byte[] _delegation;
    private readonly DeviceSigner _sign;
    private readonly RandomSource _random;
    private readonly DropCounters _drops;
    private readonly HomeCandidates _candidates = new();
    private readonly List<HomeLink> _links = [];
    private readonly Queue<HomeEffect> _effects = new();
    private bool _homesChanged;
    private bool _leaving;
    private bool _routesIPv4 = true;
    private bool _routesIPv6 = true;
    private Instant _checkAgainAt;
    private Instant _lookAgainAt = Instant.Never;

    /// <param name="delegation">The device's delegation as encoded, at most <see cref="RegisterQuestion.MaxDelegationBytes"/>.</param>
    public HomeMachine(ReadOnlySpan<byte> delegation, DeviceSigner sign, WallClock clock, RandomSource random, DropCounters drops)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delegation.Length, RegisterQuestion.MaxDelegationBytes, nameof(delegation));
        _delegation = delegation.ToArray();
        (_sign, Clock, _random, _drops) = (sign, clock, random, drops);
    }

    public static TimeSpan RetryDelay => TimeSpan.FromSeconds(1);

    /// <summary>How long offers are gathered before the fastest are chosen, so that the first to be heard of is not taken for the best.</summary>
    public static TimeSpan GatherTime => TimeSpan.FromMilliseconds(100);

    /// <summary>The least time between registrations that a home may ask of us is half of this.</summary>
    public static TimeSpan ShortestLease => TimeSpan.FromSeconds(30);

    public static TimeSpan CheckInterval => TimeSpan.FromSeconds(1);

    /// <summary>The wall clock, for signed times; hand in a new one when it steps.</summary>
    public WallClock Clock { get; set; }

    /// <summary>What is known of how long the NAT before us keeps a mapping; keepalives follow it.</summary>
    public MappingLifetime MappingLifetime { get; } = new();

    /// <summary>Whether a home saw us elsewhere than before; cleared by who takes note.</summary>
    public bool LostMapping { get; set; }

    /// <summary>Whether more candidates would be of use.</summary>
    public bool WantsCandidates => !_leaving && _links.Count < MaxHomes;

    /// <summary>Whether, after <see cref="Leave"/>, every home was told or given up.</summary>
    public bool IsDrained => _leaving && _links.Count == 0;

    public Instant NextDeadline
    {
        get
        {
            Instant next = _lookAgainAt;
            foreach (HomeLink link in _links)
            {
                next = Instant.Min(next, link.NextDeadline);
            }

            return next;
        }
    }

    /// <summary>Writes the homes we are registered at, for the device record; returns how many.</summary>
    public int CopyHomes(Span<HomeContact> homes)
    {
        int count = 0;
        foreach (HomeLink link in _links)
        {
            if (link.State == HomeLinkState.Registered && count < homes.Length)
            {
                homes[count++] = link.Contact;
            }
        }

        return count;
    }

    /// <summary>Whether relay data from <paramref name="remote"/> on a channel not yet known may open one: only a home introduces diallers.</summary>
    public bool IsHome(Endpoint remote)
    {
        foreach (HomeLink link in _links)
        {
            if (link.Contact.Endpoint == remote)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Tells which families lead to the network from where the device is now. Homes at addresses of the other are left at once for those in reach.</summary>
    public void SetRoutes(Instant now, bool ipv4, bool ipv6)
    {
        bool changed = (_routesIPv4, _routesIPv6) != (ipv4, ipv6);
        (_routesIPv4, _routesIPv6) = (ipv4, ipv6);
        if (_links.RemoveAll(link => !IsInReach(link.Contact.Endpoint)) > 0)
        {
            _homesChanged = true;
            Fill(now);
        }
        else if (changed && WantsCandidates)
        {
            _lookAgainAt = Instant.Min(_lookAgainAt, now + GatherTime);
        }
    }

    /// <summary>Where a home that a peer named at an address out of our reach is known to us at one of the other family.</summary>
    public bool TryFindOther(in HomeContact named, out HomeContact other) => _candidates.TryFindOther(named, out other);

    /// <summary>Tells of a serving public node, and its round-trip time if measured. The choice is made <see cref="GatherTime"/> later.</summary>
    public void Offer(Instant now, HomeContact contact, TimeSpan? rtt)
    {
        if (_candidates.Offer(contact, rtt) && WantsCandidates)
        {
            _lookAgainAt = Instant.Min(_lookAgainAt, now + GatherTime); // an old acquaintance is tried again when it has cooled down
        }
    }

    /// <summary>The home answered our question.</summary>
    public void Answered(Instant now, PublicKey home, ReadOnlySpan<byte> body, TimeSpan rtt)
    {
        if (!TryFindAsking(home, out HomeLink? link))
        {
            _drops.Count(DropReason.Unsolicited);
            return;
        }

        link.IsAsking = false;
        if (link.State == HomeLinkState.Leaving)
        {
            _ = _links.Remove(link);
        }
        else if (!RegisterAnswer.TryParse(body, out RegisterAnswer answer))
        {
            _drops.Count(DropReason.Malformed);
            Fail(now, link);
        }
        else if (answer.Status == RegisterStatus.Done)
        {
            _homesChanged |= link.State == HomeLinkState.Registering;
            _candidates.Succeeded(link.Contact, rtt);
            link.Registered(now, answer with { Lease = Longer(answer.Lease, ShortestLease) }, _random);
            KeepSocketAlive(now);
        }
        else if (answer.Status == RegisterStatus.ClockSkew && link.Failures == 0)
        {
            link.Failures++;
            link.ClockOffset = answer.HomeTime - Clock.At(now);
            Ask(now, link, HomeMethod.Register);
        }
        else
        {
            GiveUp(now, link); // a refusal: another home will have us
        }
    }

    /// <summary>The question to the home brought no answer.</summary>
    public void Failed(Instant now, PublicKey home)
    {
        if (!TryFindAsking(home, out HomeLink? link))
        {
            return;
        }

        link.IsAsking = false;
        if (link.State == HomeLinkState.Leaving)
        {
            _ = _links.Remove(link);
        }
        else
        {
            Fail(now, link);
        }
    }

    /// <summary>Takes a STUN message that came in; true when it answers our keepalive, with the endpoint the home saw (for ReflexiveAddresses).</summary>
    public bool TryHandleStun(Instant now, Endpoint remote, ReadOnlySpan<byte> datagram, out Endpoint observed)
    {
        observed = default;
        if (!StunMessage.TryParse(datagram, out StunMessage message) || message.Class != StunClass.Success || message.MappedAddress.IsNone)
        {
            return false;
        }

        foreach (HomeLink link in _links)
        {
            if (link.Contact.Endpoint == remote && link.TryTakeKeepAlive(now, message, _random))
            {
                KeepSocketAlive(now);
                observed = message.MappedAddress;
                LostMapping |= observed != link.Observed && link.State == HomeLinkState.Registered;
                if (observed != link.Observed && link.State == HomeLinkState.Registered && !link.IsAsking)
                {
                    Ask(now, link, HomeMethod.Register); // the home would send to where we no longer are
                }

                return true;
            }
        }

        return false;
    }

    public void HandleTimeout(Instant now)
    {
        for (int i = _links.Count - 1; i >= 0; i--)
        {
            HomeLink link = _links[i];
            if (link.State == HomeLinkState.Registered && now >= link.KeepAliveAt && !link.TryKeepAlive(now, _random))
            {
                link.AskAt = now;
            }

            if (!link.IsAsking && now >= link.AskAt)
            {
                Ask(now, link, HomeMethod.Register);
            }
        }

        if (now >= _lookAgainAt)
        {
            Fill(now);
        }
    }

    /// <summary>The way to a node became another: a home there sees us elsewhere and is told at once, one that was given up is worth another try.</summary>
    public void Refresh(Instant now, Endpoint home)
    {
        if (_leaving)
        {
            return;
        }

        HomeLink? link = _links.Find(link => link.Contact.Endpoint == home);
        if (link is { IsAsking: false })
        {
            Ask(now, link, HomeMethod.Register);
        }
        else if (link is null && _candidates.Forgive(home) && WantsCandidates)
        {
            _lookAgainAt = now;
        }
    }

    /// <summary>Asks every home how it sees us: a session went silent, or our addresses changed. At most once a <see cref="CheckInterval"/>.</summary>
    public void CheckNow(Instant now)
    {
        if (now >= _checkAgainAt)
        {
            _checkAgainAt = now + CheckInterval;
            _links.ForEach(link => link.CheckNow(now));
        }
    }

    /// <summary>Leaves every home. Drive on until <see cref="IsDrained"/>, or not at all: leases end by themselves.</summary>
    public void Leave(Instant now)
    {
        _leaving = true;
        _lookAgainAt = Instant.Never;
        _ = _links.RemoveAll(link => link.State == HomeLinkState.Registering);
        foreach (HomeLink link in _links)
        {
            if (link.State == HomeLinkState.Registered)
            {
                link.State = HomeLinkState.Leaving;
                Ask(now, link, HomeMethod.Unregister);
            }
        }
    }

    /// <summary>Writes a keepalive that is due: a STUN request of 20 bytes.</summary>
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        foreach (HomeLink link in _links)
        {
            if (link.TryWriteKeepAlive(buffer, out int bytes))
            {
                transmit = new(new(link.Contact.Endpoint), bytes, bytes);
                return true;
            }
        }

        transmit = default;
        return false;
    }

    public bool TryEffect(out HomeEffect effect)
    {
        if (_homesChanged)
        {
            _homesChanged = false;
            effect = new(HomeEffectKind.HomesChanged, default, default, default);
            return true;
        }

        return _effects.TryDequeue(out effect);
    }

    private static TimeSpan Longer(TimeSpan left, TimeSpan right) => left > right ? left : right;

    private bool IsInReach(Endpoint home) => home.Scope != AddressScope.Global || (home.IsIPv4 ? _routesIPv4 : _routesIPv6);

    private void Fill(Instant now)
    {
        while (WantsCandidates && _candidates.TryChoose(now, _links, IsInReach, out HomeContact contact))
        {
            HomeLink link = new(contact, MappingLifetime);
            _links.Add(link);
            Ask(now, link, HomeMethod.Register);
        }

        _lookAgainAt = WantsCandidates ? _candidates.NextCooled(now) : Instant.Never;
    }

    private void Ask(Instant now, HomeLink link, HomeMethod method)
    {
        UnixTime time = Clock.At(now) + link.ClockOffset;
        Span<byte> message = stackalloc byte[HomeProof.Bytes];
        Span<byte> signature = stackalloc byte[HomeProof.SignatureBytes];
        HomeProof.Write(message, method, link.Contact.Key, time);
        _sign(message, signature);
        byte[] body = new byte[RegisterQuestion.MaxBytes];
        int bytes = new RegisterQuestion { Delegation = _delegation, Time = time, Signature = signature }.Encode(body);
        link.IsAsking = true;
        link.AskAt = Instant.Never;
        _effects.Enqueue(new(HomeEffectKind.Ask, link.Contact, method, body.AsMemory(0, bytes)));
    }

    private void Fail(Instant now, HomeLink link)
    {
        link.Failures++;
        if (link.Failures >= FailuresBeforeReplaced)
        {
            GiveUp(now, link);
        }
        else
        {
            link.AskAt = now + RetryDelay;
        }
    }

    private void GiveUp(Instant now, HomeLink link)
    {
        _homesChanged |= link.State == HomeLinkState.Registered;
        _ = _links.Remove(link);
        _candidates.CoolDown(now, link.Contact);
        Fill(now);
    }

    private bool TryFindAsking(PublicKey home, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out HomeLink? link)
    {
        link = _links.Find(link => link.IsAsking && link.Contact.Key == home);
        return link is not null;
    }
}
