using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Punching;
using Carrier.Node.Transport;

namespace Carrier.Node.Addresses;

/// <summary>A home to be asked to knock at one of our sockets.</summary>
internal readonly record struct KnockRequest(HomeContact Home, ushort Port, byte[] TransactionId, bool FromOtherPort);

/// <summary>Finds out whom the NAT before us lets in and whether it hairpins, once a network and after everything urgent (the tests of RFC 5780 §4.4 and §4.5).</summary>
/// <remarks>
/// A socket of its own asks one home by STUN where it is seen, and nobody else ever hears from it. Then the node asks two homes to knock there: one that the
/// socket has not sent to, and that first one from another port. What arrives tells the filtering; silence is believed when both said that
/// they knocked, twice. Three or five small datagrams in all.
/// </remarks>
internal sealed class NatTest(HomeMachine homes, LocalAddresses addresses, SocketLeases sockets, Outbox outbox, RandomSource random)
{
    /// <summary>Datagrams of each kind before silence is believed.</summary>
    private const int MaxTries = 3;

    private readonly Queue<KnockRequest> _requests = new();
    private readonly byte[] _whereTransaction = new byte[StunMessage.TransactionIdBytes];
    private readonly byte[] _hairpinTransaction = new byte[StunMessage.TransactionIdBytes];
    private Knock _fromOtherHome = Knock.None;
    private Knock _fromOtherPort = Knock.None;
    private Stage _stage;
    private ushort _socket;
    private Endpoint _seenAt;
    private int _tries;
    private bool _hairpins;

    private enum Stage
    {
        /// <summary>Two homes are not there yet.</summary>
        Waiting,

        /// <summary>To begin at the deadline.</summary>
        Due,

        /// <summary>The first home was asked where it sees the socket.</summary>
        Locating,

        /// <summary>Homes knock.</summary>
        Listening,
        Over,
    }

    /// <summary>How long after the second home there was the test begins.</summary>
    public static TimeSpan Rest => TimeSpan.FromMilliseconds(500);

    /// <summary>How long an answer or a knock may take before it is asked for again.</summary>
    public static TimeSpan Patience => TimeSpan.FromMilliseconds(400);

    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>The device's homes became others.</summary>
    public void HomesChanged(Instant now)
    {
        if (_stage == Stage.Waiting && Homes().Length > 1)
        {
            (_stage, NextDeadline) = (Stage.Due, now + Rest);
        }
    }

    /// <summary>The device is on another network: what was learnt is no longer true.</summary>
    public void Restart(Instant now)
    {
        End(Stage.Waiting);
        HomesChanged(now);
    }

    public void HandleTimeout(Instant now)
    {
        if (now < NextDeadline)
        {
            return;
        }

        NextDeadline = now + Patience;
        _tries++;
        HomeContact[] known = Homes();
        switch (_stage)
        {
            case Stage.Due when known.Length > 1 && sockets.TryTake(null, out _socket):
                random.Fill(_whereTransaction);
                random.Fill(_hairpinTransaction);
                _fromOtherPort = new Knock(known[0], NewTransaction());
                _fromOtherHome = new Knock(known[1], NewTransaction());
                (_stage, _tries) = (Stage.Locating, 1);
                Request(new NetworkPath(known[0].Endpoint, Socket: _socket), _whereTransaction);
                break;
            case Stage.Locating when _tries <= MaxTries:
                Request(new NetworkPath(_fromOtherPort.Home.Endpoint, Socket: _socket), _whereTransaction);
                break;
            case Stage.Listening when _tries <= MaxTries && !(_fromOtherHome.HasArrived && _fromOtherPort.HasArrived):
                AskForKnocks();
                break;
            case Stage.Listening:
                Judge();
                break;
            default:
                End(_stage == Stage.Due ? Stage.Waiting : Stage.Over);
                break;
        }
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Answered"/>, or not at all.</summary>
    public bool TryRequest(out KnockRequest request) => _requests.TryDequeue(out request);

    /// <summary>The home said whether it knocked.</summary>
    public void Answered(in KnockRequest request, KnockAnswer answer)
    {
        Knock knock = request.FromOtherPort ? _fromOtherPort : _fromOtherHome;
        if (knock.TransactionId == request.TransactionId && answer.Status == KnockStatus.Sent)
        {
            knock.Sent++;
        }
    }

    /// <summary>Takes a STUN message that came to a socket other than the node's own; true when it belongs to the test.</summary>
    public bool TryHandleStun(Instant now, ushort socket, Endpoint remote, ReadOnlySpan<byte> datagram)
    {
        if (socket != _socket || _stage is not (Stage.Locating or Stage.Listening) || !StunMessage.TryParse(datagram, out StunMessage message) || message.Class != StunClass.Success)
        {
            return false;
        }

        if (_stage == Stage.Locating && remote == _fromOtherPort.Home.Endpoint && message.TransactionId.SequenceEqual(_whereTransaction))
        {
            Listen(now, message.MappedAddress);
            return true;
        }

        bool isOtherHome = message.TransactionId.SequenceEqual(_fromOtherHome.TransactionId);
        _fromOtherHome.HasArrived |= isOtherHome;
        bool isOtherPort = message.TransactionId.SequenceEqual(_fromOtherPort.TransactionId);
        _fromOtherPort.HasArrived |= isOtherPort;
        return isOtherHome || isOtherPort;
    }

    /// <summary>Takes a STUN message that came to the node's own socket; true when the test sent it, so that it came around through the NAT.</summary>
    public bool TryTakeHairpin(ReadOnlySpan<byte> datagram)
    {
        bool isOurs = _stage == Stage.Listening && StunMessage.TryParse(datagram, out StunMessage message) && message.TransactionId.SequenceEqual(_hairpinTransaction);
        _hairpins |= isOurs;
        return isOurs;
    }

    // Homes on a private network tell nothing of what the internet may send us.
    private void Listen(Instant now, Endpoint seenAt)
    {
        if (seenAt.Scope != AddressScope.Global)
        {
            End(Stage.Over);
            return;
        }

        (_stage, _seenAt, _tries, NextDeadline) = (Stage.Listening, seenAt, 1, now + Patience);
        AskForKnocks();
        Endpoint own = addresses.Reflexive(AddressFamily.InterNetwork);
        if (own.WithPort(0) == seenAt.WithPort(0))
        {
            Request(new NetworkPath(seenAt), _hairpinTransaction); // lets the next one in
            Request(new NetworkPath(own, Socket: _socket), _hairpinTransaction);
        }
    }

    private void AskForKnocks()
    {
        foreach (Knock knock in (ReadOnlySpan<Knock>)[_fromOtherHome, _fromOtherPort])
        {
            if (!knock.HasArrived)
            {
                _requests.Enqueue(new KnockRequest(knock.Home, _seenAt.Port, knock.TransactionId, FromOtherPort: knock == _fromOtherPort));
            }
        }
    }

    private void Judge()
    {
        bool silenceCounts = _fromOtherHome.Sent > 1 && (_fromOtherPort.HasArrived || _fromOtherPort.Sent > 1);
        NatFiltering filtering = _fromOtherHome.HasArrived ? NatFiltering.EndpointIndependent
            : !silenceCounts ? NatFiltering.Unknown
            : _fromOtherPort.HasArrived ? NatFiltering.AddressDependent
            : NatFiltering.AddressAndPortDependent;
        addresses.SetFiltering(filtering, _hairpins);
        End(Stage.Over);
    }

    private void End(Stage next)
    {
        if (_socket != 0)
        {
            sockets.Release(_socket);
        }

        (_stage, _socket, _hairpins, NextDeadline) = (next, 0, false, Instant.Never);
        _requests.Clear();
    }

    private void Request(in NetworkPath path, ReadOnlySpan<byte> transaction)
    {
        Span<byte> request = stackalloc byte[StunMessage.HeaderBytes];
        outbox.Add(path, request[..StunMessage.WriteBindingRequest(request, transaction)]);
    }

    private byte[] NewTransaction()
    {
        byte[] transaction = new byte[StunMessage.TransactionIdBytes];
        random.Fill(transaction);
        return transaction;
    }

    // NAT is of IPv4.
    private HomeContact[] Homes()
    {
        HomeContact[] contacts = new HomeContact[HomeMachine.MaxHomes];
        return [.. contacts[..homes.CopyHomes(contacts)].Where(home => home.Endpoint.IsIPv4)];
    }

    private sealed class Knock(HomeContact home, byte[] transactionId)
    {
        public static Knock None { get; } = new(default, []);

        public HomeContact Home => home;

        public byte[] TransactionId => transactionId;

        /// <summary>Times the home said that it knocked.</summary>
        public int Sent { get; set; }

        public bool HasArrived { get; set; }
    }
}
