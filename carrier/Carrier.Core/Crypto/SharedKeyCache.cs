using System.Runtime.InteropServices;

namespace Carrier.Core.Crypto;

/// <summary>The keys agreed with each peer, so that repeated calls cost no X25519. A segmented LRU (Karedla et al. 1994).</summary>
/// <remarks>
/// A peer enters on probation; only its second use moves it to the protected segment. A flood of keys that ask once therefore turns over the
/// probation segment and leaves the peers in real use alone. Keys lie in chunks outside the collected heap and are wiped when they leave.
/// </remarks>
internal sealed class SharedKeyCache(int capacity) : IDisposable
{
    /// <summary>Both keys of a pair of nodes: question, then answer.</summary>
    public const int EntryBytes = 64;

    private const int ChunkEntries = 32;
    private const int None = -1;

    /// <summary>The protected segment's share, in the paper's range; the rest is probation.</summary>
    private const double ProtectedShare = 0.75;

    private readonly int _maxProtected = (int)(capacity * ProtectedShare);
    private readonly Dictionary<PublicKey, int> _index = [];
    private readonly List<Node> _nodes = [];
    private readonly List<KeyMemory> _chunks = [];
    private Segment _probation = new() { Newest = None, Oldest = None };
    private Segment _protected = new() { Newest = None, Oldest = None };

    public int Count => _index.Count;

    /// <summary>Finds the keys and counts it as a use. The view is good until the next <see cref="Add"/>.</summary>
    public bool TryUse(in PublicKey peer, out ReadOnlySpan<byte> keys)
    {
        if (!_index.TryGetValue(peer, out int at))
        {
            keys = default;
            return false;
        }

        Unlink(at);
        Link(at, isProtected: true);
        if (_protected.Count > _maxProtected)
        {
            int demoted = _protected.Oldest;
            Unlink(demoted);
            Link(demoted, isProtected: false);
        }

        keys = Entry(at);
        return true;
    }

    /// <summary>Enters a peer that is not yet here, on probation. When full, the longest unused one on probation leaves.</summary>
    public void Add(in PublicKey peer, ReadOnlySpan<byte> keys)
    {
        int at;
        if (_index.Count < capacity)
        {
            at = _nodes.Count;
            _nodes.Add(default);
            if (at / ChunkEntries == _chunks.Count)
            {
                _chunks.Add(new KeyMemory(ChunkEntries * EntryBytes));
            }
        }
        else
        {
            at = _probation.Oldest; // never none: the protected segment is smaller than the whole
            Unlink(at);
            _ = _index.Remove(NodeAt(at).Peer);
        }

        NodeAt(at).Peer = peer;
        keys.CopyTo(Entry(at));
        _index.Add(peer, at);
        Link(at, isProtected: false);
    }

    public void Dispose()
    {
        foreach (KeyMemory chunk in _chunks)
        {
            chunk.Dispose();
        }
    }

    private ref Node NodeAt(int at) => ref CollectionsMarshal.AsSpan(_nodes)[at];

    private Span<byte> Entry(int at) => _chunks[at / ChunkEntries].Span.Slice(at % ChunkEntries * EntryBytes, EntryBytes);

    private ref Segment SegmentOf(bool isProtected) => ref isProtected ? ref _protected : ref _probation;

    private void Link(int at, bool isProtected)
    {
        ref Segment segment = ref SegmentOf(isProtected);
        ref Node node = ref NodeAt(at);
        node.IsProtected = isProtected;
        node.Newer = None;
        node.Older = segment.Newest;
        if (segment.Newest != None)
        {
            NodeAt(segment.Newest).Newer = at;
        }

        segment.Newest = at;
        segment.Oldest = segment.Oldest == None ? at : segment.Oldest;
        segment.Count++;
    }

    private void Unlink(int at)
    {
        ref Node node = ref NodeAt(at);
        ref Segment segment = ref SegmentOf(node.IsProtected);
        if (node.Newer != None)
        {
            NodeAt(node.Newer).Older = node.Older;
        }
        else
        {
            segment.Newest = node.Older;
        }

        if (node.Older != None)
        {
            NodeAt(node.Older).Newer = node.Newer;
        }
        else
        {
            segment.Oldest = node.Newer;
        }

        segment.Count--;
    }

    private struct Node
    {
        public PublicKey Peer;
        public int Newer;
        public int Older;
        public bool IsProtected;
    }

    private struct Segment
    {
        public int Newest;
        public int Oldest;
        public int Count;
    }
}
