using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Nat;
using Carrier.Node.Homes;

namespace Carrier.Node.Addresses;

/// <summary>A home to be asked to knock at the node's own socket after a while.</summary>
internal readonly record struct KnockLaterRequest(HomeContact Home, PublicKey Device, byte[] TransactionId, int DelaySeconds);

/// <summary>Tries silences on a mapping that the device has anyway, for <see cref="MappingLifetime"/> (the test of RFC 5780 §4.6).</summary>
/// <remarks>
/// One home of three is asked to knock after a while, and sent nothing until then: a knock that arrives passed a mapping that still lives. The two others serve whoever dials meanwhile.
/// Anything else that passes between that home and the node's own socket spoils the try, and is served as ever. Two knocks in a row that do not come mean that the silence was
/// too long, and after each the device registers there at once, since the home may know a mapping that is gone. Homes take turns, so that one that withholds its knocks proves
/// nothing. Five small datagrams a try, at most eight tries. Again after a day, when a mapping was lost, and on another network.
/// </remarks>
/// <param name="device">The exchange key by which homes know the device.</param>
/// <param name="tunnelled">Homes that are not reached by UDP.</param>
internal sealed class MappingTest(HomeMachine homes, LocalAddresses addresses, IReadOnlySet<Endpoint> tunnelled, PublicKey device, RandomSource random)
{
    /// <summary>Homes that have to answer while one is tried.</summary>
    private const int OtherHomes = 2;

    /// <summary>Knocks that do not come before a silence counts as too long: one may be lost on its way.</summary>
    private const int MissesBelieved = 2;

    /// <summary>After so many tries in a row that told nothing the rest is no longer doubled: an hour.</summary>
    private const int MaxDoublings = 6;

    private readonly Queue<KnockLaterRequest> _requests = new();
    private byte[] _transaction = [];
    private HomeContact _home;
    private TimeSpan _silence;
    private Instant _silentSince;
    private Stage _stage;
    private int _turn;
    private int _misses;
    private int _futile;

    private enum Stage
    {
        Resting,

        /// <summary>A home is asked to knock later.</summary>
        Asking,

        /// <summary>Nothing is sent to it.</summary>
        Silent,
    }

    /// <summary>How long after the first home there was the first try begins. Longer intervals pay over hours: a program that runs for minutes, or a device on its way, is spared the test.</summary>
    public static TimeSpan Rest => TimeSpan.FromMinutes(5);

    /// <summary>Between two tries. Linux keeps a mapping of less than two seconds for 30 s and then for 120: one that was lost and made anew is older when its turn comes again.</summary>
    public static TimeSpan Pause => TimeSpan.FromSeconds(10);

    /// <summary>How long a try that told nothing is rested from; doubled each time, since it may be that the homes do not know the question or are never silent.</summary>
    public static TimeSpan RetryDelay => TimeSpan.FromMinutes(1);

    /// <summary>After this a NAT is asked anew: routers are updated and replaced.</summary>
    public static TimeSpan Validity => TimeSpan.FromHours(24);

    /// <summary>How far a knock may be from its time, either way: less than <see cref="MappingLifetime.Margin"/> allows for.</summary>
    public static TimeSpan Patience => TimeSpan.FromSeconds(1);

    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>Whether what passes between the node's own socket and one home matters: tell it by <see cref="Heard"/> and <see cref="Spoke"/>.</summary>
    public bool IsSilent => _stage == Stage.Silent;

    private bool IsDone => homes.MappingLifetime.NextSilence == TimeSpan.Zero;

    /// <summary>The device's homes became others.</summary>
    public void HomesChanged(Instant now)
    {
        if (_stage != Stage.Resting || NextDeadline == Instant.Never)
        {
            End(now, now + Rest);
        }
    }

    /// <summary>The device is on another network, or lost its mapping.</summary>
    public void Restart(Instant now)
    {
        homes.MappingLifetime.Forget();
        (_misses, _futile) = (0, 0);
        End(now, now + Rest);
    }

    public void HandleTimeout(Instant now)
    {
        if (now < NextDeadline)
        {
            return;
        }

        if (_stage == Stage.Silent)
        {
            Missed(now);
        }
        else
        {
            Begin(now);
        }
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Answered"/> or <see cref="Refused"/>.</summary>
    public bool TryRequest(out KnockLaterRequest request) => _requests.TryDequeue(out request);

    /// <summary>The home said whether it will knock.</summary>
    public void Answered(Instant now, in KnockLaterRequest request, KnockAnswer answer)
    {
        if (_stage != Stage.Asking || request.TransactionId != _transaction)
        {
            return;
        }

        Instant latest = now + _silence + Patience;
        if (answer.Status == KnockStatus.Sent && homes.TryFallSilent(now, _home.Endpoint, until: latest + Patience))
        {
            (_stage, _silentSince, NextDeadline) = (Stage.Silent, now, latest);
        }
        else
        {
            Spoil(now);
        }
    }

    /// <summary>The home did not answer, or does not know the question. Where none does, keepalives stay as they are.</summary>
    public void Refused(Instant now, in KnockLaterRequest request)
    {
        if (_stage == Stage.Asking && request.TransactionId == _transaction)
        {
            Spoil(now);
        }
    }

    /// <summary>Takes note of what came to the node's own socket while <see cref="IsSilent"/>: the knock, or what spoils the try.</summary>
    public void Heard(Instant now, Endpoint remote, ReadOnlySpan<byte> datagram)
    {
        if (remote != _home.Endpoint)
        {
            return;
        }

        bool isKnock = StunMessage.TryParse(datagram, out StunMessage message) && message.Class == StunClass.Success && message.TransactionId.SequenceEqual(_transaction);
        if (isKnock && now - _silentSince >= _silence - Patience)
        {
            homes.MappingLifetime.Survived(_silence);
            Next(now);
        }
        else
        {
            Spoil(now);
        }
    }

    /// <summary>Takes note of what leaves while <see cref="IsSilent"/>.</summary>
    public void Spoke(Instant now, in NetworkPath path)
    {
        if (path.Remote == _home.Endpoint && path.Socket == 0)
        {
            Spoil(now);
        }
    }

    private void Missed(Instant now)
    {
        homes.Refresh(now, _home.Endpoint); // before it is taken for a mapping lost in use, which it is not
        if (homes.CopyAnswering(new HomeContact[HomeMachine.MaxHomes]) < OtherHomes)
        {
            Spoil(now); // it is not the mapping
        }
        else if (++_misses < MissesBelieved)
        {
            _futile = 0;
            End(now, now + Pause);
        }
        else
        {
            homes.MappingLifetime.Lost(_silence);
            Next(now);
        }
    }

    private void Next(Instant now)
    {
        (_misses, _futile) = (0, 0);
        End(now, now + (IsDone ? Validity : Pause));
    }

    // Without a NAT there is no mapping, and NAT is of IPv4.
    private void Begin(Instant now)
    {
        HomeContact[] contacts = new HomeContact[HomeMachine.MaxHomes];
        if (homes.CopyHomes(contacts) <= OtherHomes)
        {
            End(now, Instant.Never); // another home will be heard of
            return;
        }

        HomeContact[] answering = contacts[..homes.CopyAnswering(contacts)];
        HomeContact[] usable = [.. answering.Where(home => home.Endpoint.IsIPv4 && !tunnelled.Contains(home.Endpoint))];
        bool isBehindNat = addresses.Mapping != NatMapping.None && addresses.Reflexive(AddressFamily.InterNetwork).Scope == AddressScope.Global;
        if (!isBehindNat || answering.Length <= OtherHomes || usable.Length == 0)
        {
            Spoil(now);
            return;
        }

        if (IsDone)
        {
            homes.MappingLifetime.Forget(); // what was learnt is a day old
        }

        _home = usable[_turn++ % usable.Length];
        _silence = TimeSpan.FromSeconds(Math.Floor(homes.MappingLifetime.NextSilence.TotalSeconds));
        _transaction = new byte[StunMessage.TransactionIdBytes];
        random.Fill(_transaction);
        _requests.Enqueue(new KnockLaterRequest(_home, device, _transaction, (int)_silence.TotalSeconds));
        (_stage, NextDeadline) = (Stage.Asking, Instant.Never);
    }

    // Nothing was learnt.
    private void Spoil(Instant now) => End(now, now + (RetryDelay * (1 << Math.Min(_futile++, MaxDoublings))));

    private void End(Instant now, Instant next)
    {
        if (_stage == Stage.Silent)
        {
            homes.EndSilence(now, _home.Endpoint);
        }

        (_stage, NextDeadline) = (Stage.Resting, next);
        _requests.Clear();
    }
}
