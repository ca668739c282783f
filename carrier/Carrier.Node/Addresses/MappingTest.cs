using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Punching;
using Carrier.Node.Transport;

namespace Carrier.Node.Addresses;

/// <summary>Tries silences on mappings that nobody needs, for <see cref="MappingLifetime"/> (the test of RFC 5780 §4.6).</summary>
/// <remarks>
/// A socket of its own asks a home by STUN where it is seen, once more when its mapping is no longer new, and is then silent. When the silence is over the
/// home is asked, from the node's own socket, to knock there: what arrives passed a mapping that still lives. Six small datagrams a try, four tries
/// at most, one mapping at a time: what outlived its silence is tried with the next one. Again after a day, when a mapping was lost, and on another network.
/// </remarks>
internal sealed class MappingTest(HomeMachine homes, LocalAddresses addresses, SocketLeases sockets, Outbox outbox, RandomSource random)
{
    /// <summary>Datagrams of each kind before silence is believed.</summary>
    private const int MaxTries = 3;

    private readonly Queue<KnockRequest> _requests = new();
    private readonly byte[] _whereTransaction = new byte[StunMessage.TransactionIdBytes];
    private byte[] _knockTransaction = [];
    private HomeContact _home;
    private Endpoint _seenAt;
    private TimeSpan _silence;
    private Stage _stage;
    private ushort _socket;
    private int _tries;
    private int _knocks;
    private bool _isNew;

    private enum Stage
    {
        Resting,

        /// <summary>The home is asked where it sees the socket, twice.</summary>
        Locating,

        /// <summary>Nothing is sent.</summary>
        Silent,

        /// <summary>The home knocks.</summary>
        Listening,
    }

    /// <summary>How long after the first home there was the first try begins. Longer intervals pay over hours: a program that runs for minutes, or a device on its way, is spared the test and its NAT the mapping.</summary>
    public static TimeSpan Rest => TimeSpan.FromMinutes(5);

    /// <summary>What a mapping is used for before its silence: Linux keeps one of less than two seconds for 30 s and then for 120, and a home's is never so new.</summary>
    public static TimeSpan Ageing => TimeSpan.FromSeconds(3);

    /// <summary>How long a try that told nothing is rested from.</summary>
    public static TimeSpan RetryDelay => TimeSpan.FromMinutes(1);

    /// <summary>After this a NAT is asked anew: routers are updated and replaced.</summary>
    public static TimeSpan Validity => TimeSpan.FromHours(24);

    public static TimeSpan Patience => TimeSpan.FromMilliseconds(400);

    public Instant NextDeadline { get; private set; } = Instant.Never;

    private bool IsDone => homes.MappingLifetime.NextSilence == TimeSpan.Zero;

    /// <summary>The device's homes became others.</summary>
    public void HomesChanged(Instant now)
    {
        if (_stage == Stage.Resting && NextDeadline == Instant.Never)
        {
            NextDeadline = now + Rest;
        }
    }

    /// <summary>The device is on another network, or lost its mapping.</summary>
    public void Restart(Instant now)
    {
        homes.MappingLifetime.Forget();
        End(now + Rest);
    }

    public void HandleTimeout(Instant now)
    {
        if (now < NextDeadline)
        {
            return;
        }

        _tries++;
        switch (_stage)
        {
            case Stage.Resting:
                Begin(now);
                break;
            case Stage.Locating when _tries <= MaxTries:
                Locate(now);
                break;
            case Stage.Silent:
                (_stage, _tries) = (Stage.Listening, 1);
                AskForKnock(now);
                break;
            case Stage.Listening when _tries <= MaxTries:
                AskForKnock(now);
                break;
            case Stage.Listening when _knocks > 1:
                homes.MappingLifetime.Lost(_silence);
                End(now + (IsDone ? Validity : Patience)); // its mapping is gone: another socket's is tried
                break;
            default:
                End(now + RetryDelay);
                break;
        }
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Answered"/>, or not at all.</summary>
    public bool TryRequest(out KnockRequest request) => _requests.TryDequeue(out request);

    /// <summary>The home said whether it knocked.</summary>
    public void Answered(in KnockRequest request, KnockAnswer answer) =>
        _knocks += request.TransactionId == _knockTransaction && answer.Status == KnockStatus.Sent ? 1 : 0;

    /// <summary>Takes a STUN message that came to a socket other than the node's own; true when it belongs to the test.</summary>
    public bool TryHandleStun(Instant now, ushort socket, Endpoint remote, ReadOnlySpan<byte> datagram)
    {
        if (socket != _socket || remote != _home.Endpoint || !StunMessage.TryParse(datagram, out StunMessage message) || message.Class != StunClass.Success)
        {
            return false;
        }

        if (_stage == Stage.Locating && message.TransactionId.SequenceEqual(_whereTransaction))
        {
            Located(now, message.MappedAddress);
            return true;
        }

        bool isKnock = _stage == Stage.Listening && message.TransactionId.SequenceEqual(_knockTransaction);
        if (isKnock)
        {
            homes.MappingLifetime.Survived(_silence);
            Next(now);
        }

        return isKnock;
    }

    // Without a NAT there is no mapping; without a home, nobody to knock.
    private void Begin(Instant now)
    {
        HomeContact[] contacts = new HomeContact[HomeMachine.MaxHomes];
        HomeContact[] usable = [.. contacts[..homes.CopyHomes(contacts)].Where(home => home.Endpoint.IsIPv4)];
        bool isBehindNat = addresses.Mapping != NatMapping.None && addresses.Reflexive(AddressFamily.InterNetwork).Scope == AddressScope.Global;
        if (!isBehindNat || usable.Length == 0 || !sockets.TryTake(null, out _socket))
        {
            End(usable.Length == 0 ? Instant.Never : now + RetryDelay);
            return;
        }

        if (IsDone)
        {
            homes.MappingLifetime.Forget(); // what was learnt is a day old
        }

        _home = usable[0];
        Try(now);
    }

    private void Try(Instant now)
    {
        _silence = homes.MappingLifetime.NextSilence;
        random.Fill(_whereTransaction);
        _knockTransaction = new byte[StunMessage.TransactionIdBytes];
        random.Fill(_knockTransaction);
        (_stage, _isNew, _tries, _knocks) = (Stage.Locating, true, 1, 0);
        Locate(now);
    }

    private void Locate(Instant now)
    {
        Span<byte> request = stackalloc byte[StunMessage.HeaderBytes];
        outbox.Add(new NetworkPath(_home.Endpoint, Socket: _socket), request[..StunMessage.WriteBindingRequest(request, _whereTransaction)]);
        NextDeadline = now + Patience;
    }

    private void Located(Instant now, Endpoint seenAt)
    {
        if (_isNew)
        {
            random.Fill(_whereTransaction);
            (_isNew, _tries, NextDeadline) = (false, 0, now + Ageing);
        }
        else
        {
            (_stage, _seenAt, NextDeadline) = (Stage.Silent, seenAt, now + _silence);
        }
    }

    private void AskForKnock(Instant now)
    {
        _requests.Enqueue(new KnockRequest(_home, _seenAt.Port, _knockTransaction, FromOtherPort: false));
        NextDeadline = now + Patience;
    }

    // By the same socket, so that no second mapping is held.
    private void Next(Instant now)
    {
        if (IsDone)
        {
            End(now + Validity);
        }
        else
        {
            Try(now);
        }
    }

    private void End(Instant next)
    {
        if (_socket != 0)
        {
            sockets.Release(_socket);
        }

        (_stage, _socket, NextDeadline) = (Stage.Resting, 0, next);
        _requests.Clear();
    }
}
