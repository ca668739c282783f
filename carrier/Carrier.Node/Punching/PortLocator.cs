using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Transport;

namespace Carrier.Node.Punching;

/// <summary>Learns the port of our newest mapping: a STUN request (RFC 8489) to a home from a socket that never sent there before.</summary>
/// <remarks>Behind a NAT that hands out ports in order, the next mapping is one step further. The answer is an observation as any other.</remarks>
internal sealed class PortLocator(HomeMachine? homes, Outbox outbox, RandomSource random)
{
    /// <summary>Requests under way; an attempt waits for one, and heavy attempts take turns.</summary>
    private const int MaxPending = 64;

    private readonly List<Request> _pending = [];

    /// <summary>How long an answer is waited for before the attempt goes on with what is known.</summary>
    public static TimeSpan Patience => TimeSpan.FromMilliseconds(300);

    /// <summary>Asks the nearest home; false when there is none.</summary>
    public bool TryAsk(ushort socket, Punch forPunch)
    {
        Span<HomeContact> contacts = new HomeContact[HomeMachine.MaxHomes];
        if (homes is null || homes.CopyHomes(contacts) == 0 || _pending.Count == MaxPending)
        {
            return false;
        }

        byte[] transaction = new byte[StunMessage.TransactionIdBytes];
        random.Fill(transaction);
        Span<byte> request = stackalloc byte[StunMessage.HeaderBytes];
        int bytes = StunMessage.WriteBindingRequest(request, transaction);
        outbox.Add(new NetworkPath(contacts[0].Endpoint, Socket: socket), request[..bytes]);
        _pending.Add(new Request(transaction, socket, contacts[0].Endpoint, forPunch));
        return true;
    }

    /// <summary>Takes a STUN answer that came to one of our sockets; true when it was asked for.</summary>
    public bool TryTake(ushort socket, Endpoint remote, ReadOnlySpan<byte> datagram, out Endpoint observed, out Punch? forPunch)
    {
        (observed, forPunch) = (default, null);
        if (!StunMessage.TryParse(datagram, out StunMessage message) || message.Class != StunClass.Success || message.MappedAddress.IsNone)
        {
            return false;
        }

        for (int i = 0; i < _pending.Count; i++)
        {
            Request request = _pending[i];
            if (request.Socket == socket && request.Home == remote && message.TransactionId.SequenceEqual(request.Transaction))
            {
                _pending.RemoveAt(i);
                (observed, forPunch) = (message.MappedAddress, request.ForPunch);
                return true;
            }
        }

        return false;
    }

    public bool IsAsking(Punch punch) => _pending.Exists(request => request.ForPunch == punch);

    public void Forget(Punch punch) => _pending.RemoveAll(request => request.ForPunch == punch);

    private sealed record Request(byte[] Transaction, ushort Socket, Endpoint Home, Punch ForPunch);
}
