using System.Runtime.CompilerServices;
using Carrier.Core.Session.Frames;

namespace Carrier.Core.Session;

/// <summary>The connection ids of a session, ours and the peer's (RFC 9000 §5.1): a few each way, so that a path change can use a fresh one
/// and an onlooker cannot link the two.</summary>
/// <remarks>
/// Everything is bounded by slots. A peer that retires as fast as we issue, and acknowledges nothing, makes <see cref="MaxActive"/> frames wait and no
/// more (quic-go CVE-2024-22189); we stop changing ids while <see cref="MaxRetiring"/> retirements are unacknowledged.
/// </remarks>
internal sealed class ConnectionIds
{
    /// <summary>Ids each side may have issued and not retired: one in use, one for the next path, two on their way.</summary>
    public const int MaxActive = 4;

    /// <summary>Retirements in doubt at once.</summary>
    public const int MaxRetiring = 8;

    // Sequence numbers remembered below the highest seen; an older one is a late copy.
    private const int SeenWindow = 64;

    private readonly byte[] _resetKey;
    private readonly RandomSource _random;
    private readonly Local[] _local = new Local[MaxActive];
    private readonly Remote[] _remote = new Remote[MaxActive];
    private readonly Queue<SessionEffect> _effects = new();
    private readonly Retirement[] _retiring = new Retirement[MaxRetiring];
    private ConnectionId _replaced;
    private ulong _nextLocal = 1;
    private ulong _highestRemote;
    private ulong _seenRemote = 1;

    public ConnectionIds(ConnectionId local, ConnectionId remote, in ResetToken remoteToken, ReadOnlySpan<byte> resetKey, RandomSource random)
    {
        _resetKey = resetKey.ToArray();
        _random = random;
        _local[0] = new(0, local, Pending: false);
        _remote[0] = new(0, remote, remoteToken, InUse: true);
        Current = remote;
        for (int i = 1; i < MaxActive; i++)
        {
            Issue(i);
        }
    }

    private record struct Local(ulong Sequence, ConnectionId Id, bool Pending);

    private record struct Remote(ulong Sequence, ConnectionId Id, ResetToken Token, bool InUse);

    private record struct Retirement(ulong Sequence, bool Used, bool Pending);

    /// <summary>What our packets are addressed to.</summary>
    public ConnectionId Current { get; private set; }

    public Instant RetireAt { get; private set; } = Instant.Never;

    public bool HasPending { get; private set; } = true;

    public bool TryEffect(out SessionEffect effect)
    {
        bool any = _effects.TryDequeue(out effect);
        if (any && _effects.Count == 0)
        {
            _effects.TrimExcess(); // an idle session must stay small, and ids rarely change
        }

        return any;
    }

    public bool HasEffects => _effects.Count > 0;

    /// <summary>Whether packets to <paramref name="id"/> are ours now.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool IsLocal(ConnectionId id)
    {
        foreach (ref readonly Local local in _local.AsSpan())
        {
            if (local.Id == id)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a stateless reset is the peer's: the id is one we use and the token its token, compared in constant time.</summary>
    public bool IsReset(ConnectionId id, in ResetToken token)
    {
        bool match = false;
        foreach (ref readonly Remote remote in _remote.AsSpan())
        {
            match |= !remote.Id.IsNone && remote.Id == id & remote.Token == token;
        }

        return match;
    }

    public CloseCode OnNew(in NewConnectionIdFrame frame)
    {
        foreach (ref readonly Remote remote in _remote.AsSpan())
        {
            if (!remote.Id.IsNone && (remote.Sequence == frame.Sequence || remote.Id == frame.Id))
            {
                bool same = remote.Sequence == frame.Sequence && remote.Id == frame.Id && remote.Token == frame.Token;
                return same ? CloseCode.NoError : CloseCode.ProtocolViolation;
            }
        }

        if (!IsFirstSight(frame.Sequence))
        {
            return CloseCode.NoError;
        }

        int free = Array.FindIndex(_remote, static slot => slot.Id.IsNone);
        if (free < 0)
        {
            return CloseCode.ConnectionIdLimit;
        }

        _remote[free] = new(frame.Sequence, frame.Id, frame.Token, InUse: false);
        return CloseCode.NoError;
    }

    /// <summary>The peer will not use an id of ours again; it gets another in its place.</summary>
    public CloseCode OnRetire(ulong sequence, ConnectionId packetWasTo)
    {
        if (sequence >= _nextLocal)
        {
            return CloseCode.ProtocolViolation;
        }

        int slot = Array.FindIndex(_local, local => local.Sequence == sequence);
        if (slot < 0)
        {
            return CloseCode.NoError;
        }

        if (_local[slot].Id == packetWasTo)
        {
            return CloseCode.ProtocolViolation;
        }

        _effects.Enqueue(new(SessionEffectKind.ConnectionIdRetired, Id: _local[slot].Id));
        Issue(slot);
        return _effects.Count > 4 * MaxActive ? CloseCode.ResourceLimit : CloseCode.NoError;
    }

    /// <summary>Goes over to a fresh id of the peer's, where it gave one to spare; packets to the old one may be under way until <paramref name="retireAt"/>.</summary>
    public void Replace(Instant retireAt)
    {
        int fresh = Array.FindIndex(_remote, static remote => !remote.Id.IsNone && !remote.InUse);
        if (fresh < 0)
        {
            return;
        }

        Retire(_replaced);
        _replaced = Current;
        RetireAt = retireAt;
        _remote[fresh].InUse = true;
        Current = _remote[fresh].Id;
    }

    public void HandleTimeout(Instant now)
    {
        if (now >= RetireAt)
        {
            RetireAt = Instant.Never;
            Retire(_replaced);
            _replaced = default;
        }
    }

    /// <summary>Writes what waits, as far as there is room; true when anything was written.</summary>
    public bool Write(ref FrameWriter writer, ref PacketRecord sent)
    {
        int before = writer.Length;
        bool all = true;
        foreach (ref Local local in _local.AsSpan())
        {
            if (!local.Pending)
            {
                continue;
            }

            if (!writer.TryWriteNewConnectionId(new(local.Sequence, local.Id, ResetToken.Derive(_resetKey, local.Id))))
            {
                all = false;
                break;
            }

            local.Pending = false;
            sent.Add(FrameType.NewConnectionId, local.Sequence);
        }

        foreach (ref Retirement retirement in _retiring.AsSpan())
        {
            if (!retirement.Pending)
            {
                continue;
            }

            if (!writer.TryWriteNumbers(FrameType.RetireConnectionId, retirement.Sequence))
            {
                all = false;
                break;
            }

            retirement.Pending = false;
            sent.Add(FrameType.RetireConnectionId, retirement.Sequence);
        }

        HasPending = !all;
        return writer.Length > before;
    }

    public void OnNewLost(ulong sequence)
    {
        foreach (ref Local local in _local.AsSpan())
        {
            if (local.Sequence == sequence)
            {
                local.Pending = HasPending = true;
            }
        }
    }

    public void OnRetireResolved(ulong sequence, bool lost)
    {
        foreach (ref Retirement retirement in _retiring.AsSpan())
        {
            if (retirement.Used && retirement.Sequence == sequence)
            {
                retirement.Used = lost;
                retirement.Pending = lost;
                HasPending |= lost;
            }
        }
    }

    /// <summary>The session is gone: every id of ours leaves the node's table.</summary>
    public void RetireAllLocal()
    {
        foreach (ref Local local in _local.AsSpan())
        {
            if (!local.Id.IsNone)
            {
                _effects.Enqueue(new(SessionEffectKind.ConnectionIdRetired, Id: local.Id));
                local = default;
            }
        }
    }

    // Kept for another time instead when too many retirements are in doubt.
    private void Retire(ConnectionId id)
    {
        int slot = Array.FindIndex(_remote, remote => remote.Id == id && !id.IsNone);
        int free = Array.FindIndex(_retiring, static retirement => !retirement.Used);
        if (slot < 0)
        {
            return;
        }

        if (free < 0)
        {
            _remote[slot].InUse = false;
            return;
        }

        _retiring[free] = new(_remote[slot].Sequence, Used: true, Pending: true);
        _remote[slot] = default;
        HasPending = true;
    }

    private void Issue(int slot)
    {
        _local[slot] = new(_nextLocal++, ConnectionId.Next(_random), Pending: true);
        _effects.Enqueue(new(SessionEffectKind.ConnectionIdIssued, Id: _local[slot].Id));
        HasPending = true;
    }

    private bool IsFirstSight(ulong sequence)
    {
        if (sequence > _highestRemote)
        {
            ulong shift = sequence - _highestRemote;
            _seenRemote = shift >= SeenWindow ? 0 : _seenRemote << (int)shift;
            _seenRemote |= 1;
            _highestRemote = sequence;
            return true;
        }

        ulong age = _highestRemote - sequence;
        if (age >= SeenWindow || (_seenRemote >> (int)age & 1) != 0)
        {
            return false;
        }

        _seenRemote |= 1UL << (int)age;
        return true;
    }
}
