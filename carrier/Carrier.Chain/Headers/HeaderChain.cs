using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>The chain of headers with the most work, and the branches beside it. Pure: headers in, verdicts out; nothing is allocated for a header that extends the tip.</summary>
/// <remarks>
/// Only the newest headers are in memory: enough for a retarget, a median and the deepest reorganisation followed. Older ones are final here; a store keeps
/// them. It begins at a genesis block or at a signed checkpoint, from which a <see cref="HeaderAnchor"/> is made.
/// </remarks>
public sealed class HeaderChain
{
    /// <summary>Headers of the best chain kept in memory. Above a retarget period by more than <see cref="MaxReorganisation"/>.</summary>
    public const int Window = 4096;

    /// <summary>The deepest reorganisation followed: a day of blocks. Nodes refuse six blocks once arbiters confirm; without them proof of work alone decides.</summary>
    public const int MaxReorganisation = 720;

    /// <summary>Headers kept beside the best chain; the oldest leave first. Each cost its sender a proof of work.</summary>
    public const int MaxBranchHeaders = 2048;

    /// <summary>Timestamps a median is taken of.</summary>
    public const int MedianOf = 11;

    /// <summary>How far ahead of the clock a timestamp may be.</summary>
    public static readonly TimeSpan MaxAhead = TimeSpan.FromHours(2);

    private readonly ChainNetwork _network;
    private readonly HeaderEntry[] _best = new HeaderEntry[Window];
    private readonly BranchHeaders _branches = new(MaxBranchHeaders);
    private readonly SortedDictionary<uint, Hash256> _checkpoints = [];
    private readonly HeaderAnchor _anchor;
    private uint _lowest;
    private uint _workBits;
    private ChainWork _work;
    private Hash256 _target;

    /// <summary>Begins at an anchor, which is trusted.</summary>
    public HeaderChain(ChainNetwork network, HeaderAnchor anchor)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(anchor);
        _network = network;
        _anchor = anchor;
        _lowest = anchor.Header.Height;
        Tip = new HeaderEntry(anchor.Header, anchor.Header.Hash, anchor.Work);
        Slot(Tip.Header.Height) = Tip;
    }

    /// <summary>The newest header of the best chain.</summary>
    public HeaderEntry Tip { get; private set; }

    /// <summary>The oldest height still in memory; below it headers are final.</summary>
    public uint Lowest => _lowest;

    /// <summary>Demands that block <paramref name="height"/> is <paramref name="hash"/>, on any branch.</summary>
    public void AddCheckpoint(uint height, Hash256 hash) => _checkpoints[height] = hash;

    /// <summary>Judges a header and its proof, and takes it in when it is sound.</summary>
    /// <param name="core">The 84 bytes.</param>
    /// <param name="proof">The merged-mining proof.</param>
    /// <param name="now">The wall clock.</param>
    public HeaderVerdict Add(ReadOnlySpan<byte> core, ReadOnlySpan<byte> proof, Core.UnixTime now)
    {
        if (core.Length != BlockHeader.Bytes || !BlockHeader.TryRead(core, out BlockHeader header) || !AuxPow.TryParse(proof, out AuxPow pow))
        {
            return new(HeaderStep.Refused, HeaderRule.Parse);
        }

        Hash256 hash = Hash256.DoubleSha256(core);
        return header.Previous == Tip.Hash ? Extend(header, hash, pow, now) : AddElsewhere(header, hash, pow, now);
    }

    /// <summary>Judges a header as the successor of one that is known, without taking it in.</summary>
    public HeaderRule Check(in HeaderEntry previous, ReadOnlySpan<byte> core, ReadOnlySpan<byte> proof, Core.UnixTime now)
    {
        if (core.Length != BlockHeader.Bytes || !BlockHeader.TryRead(core, out BlockHeader header) || !AuxPow.TryParse(proof, out AuxPow pow))
        {
            return HeaderRule.Parse;
        }

        return header.Previous == previous.Hash ? CheckSuccessor(previous, header, Hash256.DoubleSha256(core), pow, now) : HeaderRule.PreviousHash;
    }

    /// <summary>The header of the best chain at a height still in memory.</summary>
    public bool TryGet(uint height, out HeaderEntry entry)
    {
        bool inMemory = height >= _lowest && height <= Tip.Header.Height;
        entry = inMemory ? Slot(height) : default;
        return inMemory;
    }

    /// <summary>True when the best chain holds this hash at this height, in memory.</summary>
    public bool Contains(uint height, Hash256 hash) => TryGet(height, out HeaderEntry entry) && entry.Hash == hash;

    /// <summary>Puts back a header that a store kept, whose proof was judged before it was stored.</summary>
    internal void Restore(in BlockHeader header)
    {
        Hash256 hash = header.Hash;
        if (header.Previous != Tip.Hash || header.Height != Tip.Header.Height + 1)
        {
            throw new InvalidDataException($"The stored headers do not follow each other at height {header.Height}.");
        }

        Append(new HeaderEntry(header, hash, Tip.Work + WorkOf(header.Bits)));
    }

    /// <summary>Hashes for asking others what follows: the tip, then ever sparser back to the oldest in memory.</summary>
    public IEnumerable<Hash256> Locator()
    {
        uint step = 1;
        for (uint height = Tip.Header.Height; ; height -= step)
        {
            yield return Slot(height).Hash;
            if (height == _lowest)
            {
                yield break;
            }

            step = Tip.Header.Height - height >= 10 ? step * 2 : 1;
            if (height - _lowest < step)
            {
                break;
            }
        }

        yield return Slot(_lowest).Hash;
    }

    private ref HeaderEntry Slot(uint height) => ref _best[height % Window];

    private HeaderVerdict Extend(in BlockHeader header, Hash256 hash, in AuxPow pow, Core.UnixTime now)
    {
        HeaderRule rule = CheckSuccessor(Tip, header, hash, pow, now);
        if (rule != HeaderRule.None)
        {
            return new(HeaderStep.Refused, rule);
        }

        Append(new HeaderEntry(header, hash, Tip.Work + WorkOf(header.Bits)));
        return new(HeaderStep.Extended, HeaderRule.None);
    }

    private HeaderVerdict AddElsewhere(in BlockHeader header, Hash256 hash, in AuxPow pow, Core.UnixTime now)
    {
        if (Contains(header.Height, hash) || _branches.TryFind(hash, out _))
        {
            return new(HeaderStep.Known, HeaderRule.None);
        }

        if (!TryFindEntry(header.Previous, header.Height, out HeaderEntry previous))
        {
            return new(HeaderStep.Orphan, HeaderRule.PreviousHash);
        }

        // The whole branch must be here before it is judged: an ancestor may have left with the oldest.
        if (!TryFindFork(previous, out uint fork))
        {
            return new(HeaderStep.Orphan, HeaderRule.PreviousHash);
        }

        if (Tip.Header.Height - fork > MaxReorganisation)
        {
            return new(HeaderStep.TooDeep, HeaderRule.None);
        }

        HeaderRule rule = CheckSuccessor(previous, header, hash, pow, now);
        if (rule != HeaderRule.None)
        {
            return new(HeaderStep.Refused, rule);
        }

        var entry = new HeaderEntry(header, hash, previous.Work + WorkOf(header.Bits));
        _branches.Add(entry);
        if (entry.Work <= Tip.Work || !TryFindFork(entry, out fork))
        {
            return new(HeaderStep.Branch, HeaderRule.None);
        }

        Reorganise(entry, fork);
        return new(HeaderStep.Reorganised, HeaderRule.None, fork);
    }

    /// <summary>A known header by hash: on the best chain just below <paramref name="height"/>, or on a branch.</summary>
    private bool TryFindEntry(Hash256 hash, uint height, out HeaderEntry entry)
    {
        if (_branches.TryFind(hash, out entry))
        {
            return true;
        }

        // A wrong height in a header is that rule's to find, so its predecessor is looked for by hash where the height fails.
        if (height > 0 && TryGet(height - 1, out entry) && entry.Hash == hash)
        {
            return true;
        }

        for (uint at = Tip.Header.Height; at + MaxReorganisation > Tip.Header.Height && at >= _lowest; at--)
        {
            entry = Slot(at);
            if (entry.Hash == hash)
            {
                return true;
            }

            if (at == 0)
            {
                break;
            }
        }

        entry = default;
        return false;
    }

    private HeaderRule CheckSuccessor(in HeaderEntry previous, in BlockHeader header, Hash256 hash, in AuxPow pow, Core.UnixTime now)
    {
        if (header.Height != previous.Header.Height + 1)
        {
            return HeaderRule.Height;
        }

        if (_checkpoints.TryGetValue(header.Height, out Hash256 demanded) && demanded != hash)
        {
            return HeaderRule.Checkpoint;
        }

        if (header.Bits != NextBits(previous))
        {
            return HeaderRule.Bits;
        }

        if (header.Timestamp < MedianTime(previous))
        {
            return HeaderRule.TimeTooOld;
        }

        if (header.Timestamp > now.Seconds + (long)MaxAhead.TotalSeconds)
        {
            return HeaderRule.TimeTooNew;
        }

        return TryTargetOf(header.Bits, out Hash256 target) ? pow.Check(hash, target) : HeaderRule.BitsRange;
    }

    private uint NextBits(in HeaderEntry previous)
    {
        if (!_network.Retargets || previous.Header.Height == 0)
        {
            return _network.FirstBits;
        }

        if ((previous.Header.Height + 1) % Difficulty.RetargetBlocks != 0)
        {
            return previous.Header.Bits;
        }

        HeaderEntry first = Ancestor(previous, previous.Header.Height - (Difficulty.RetargetBlocks - 1));
        return Difficulty.Retarget(previous.Header.Bits, first.Header.Timestamp, previous.Header.Timestamp);
    }

    /// <summary>The middle of the last eleven timestamps up to <paramref name="entry"/>; of as many as there are near genesis.</summary>
    private uint MedianTime(HeaderEntry entry)
    {
        Span<uint> times = stackalloc uint[MedianOf];
        int count = 0;
        while (count < MedianOf)
        {
            times[count++] = entry.Header.Timestamp;
            if (entry.Header.Height == _anchor.Header.Height)
            {
                foreach (uint earlier in _anchor.EarlierTimestamps.AsSpan()[..Math.Min(MedianOf - count, _anchor.EarlierTimestamps.Length)])
                {
                    times[count++] = earlier;
                }

                break;
            }

            entry = Parent(entry);
        }

        times[..count].Sort();
        return times[count / 2];
    }

    private HeaderEntry Parent(in HeaderEntry entry) =>
        _branches.Count > 0 && _branches.TryFind(entry.Header.Previous, out HeaderEntry parent) ? parent : Slot(entry.Header.Height - 1);

    private HeaderEntry Ancestor(HeaderEntry entry, uint height)
    {
        while (entry.Header.Height > height && !Contains(entry.Header.Height, entry.Hash))
        {
            entry = Parent(entry);
        }

        return entry.Header.Height == height ? entry : Slot(height);
    }

    /// <summary>Walks a branch down to the best chain; false when a header between has been forgotten.</summary>
    private bool TryFindFork(HeaderEntry entry, out uint fork)
    {
        while (!Contains(entry.Header.Height, entry.Hash))
        {
            HeaderEntry parent = Parent(entry);
            if (entry.Header.Height <= _lowest || parent.Hash != entry.Header.Previous)
            {
                fork = 0;
                return false;
            }

            entry = parent;
        }

        fork = entry.Header.Height;
        return true;
    }

    private void Reorganise(HeaderEntry tip, uint fork)
    {
        var branch = new Stack<HeaderEntry>();
        for (HeaderEntry at = tip; at.Header.Height > fork; at = Parent(at))
        {
            branch.Push(at);
        }

        for (uint height = fork + 1; height <= Tip.Header.Height; height++)
        {
            _branches.Add(Slot(height));
        }

        Tip = Slot(fork);
        while (branch.TryPop(out HeaderEntry next))
        {
            _branches.Remove(next.Hash);
            Append(next);
        }
    }

    private void Append(in HeaderEntry entry)
    {
        Slot(entry.Header.Height) = entry;
        Tip = entry;
        if (entry.Header.Height - _lowest >= Window)
        {
            _lowest = entry.Header.Height - Window + 1;
        }
    }

    // Bits stay the same for a retarget period: the division behind work and target is made once for it.
    private ChainWork WorkOf(uint bits) => TryTargetOf(bits, out _) ? _work : ChainWork.None;

    private bool TryTargetOf(uint bits, out Hash256 target)
    {
        if (bits != _workBits || _target.IsZero)
        {
            _workBits = bits;
            _work = Difficulty.Work(bits);
            _ = Difficulty.TryToTarget(bits, out _target);
        }

        target = _target;
        return !target.IsZero;
    }
}
