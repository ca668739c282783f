using System.Buffers;
using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Dht.Rpc;

/// <summary>One question of ours until it is answered or given up. Owns its copy of the body.</summary>
internal sealed class PendingCall
{
    private readonly byte[] _body;
    private readonly int _bodyBytes;

    public PendingCall(ulong id, in PublicKey peer, Endpoint remote, int method, ReadOnlySpan<byte> body, AskOptions options)
    {
        Id = id;
        Peer = peer;
        Remote = remote;
        Method = method;
        Options = options;
        _bodyBytes = body.Length;
        _body = ArrayPool<byte>.Shared.Rent(body.Length);
        body.CopyTo(_body);
    }

    public ulong Id { get; }

    public PublicKey Peer { get; }

    public Endpoint Remote { get; }

    public int Method { get; }

    public AskOptions Options { get; }

    public bool IsSlow => (Options & AskOptions.Slow) != 0;

    public ReadOnlySpan<byte> Body => _body.AsSpan(0, _bodyBytes);

    /// <summary>How often it went out since it was asked, or since it was asked again with a token.</summary>
    public int Transmissions { get; set; }

    public Instant SentAt { get; set; }

    public bool Stalled { get; set; }

    /// <summary>The refusal that names a fresh token was taken up once.</summary>
    public bool AskedAgain { get; set; }

    /// <summary>The one timer of the call: sent again each time, then given up.</summary>
    public Instant Timer { get; set; }

    /// <summary>From the last transmission to the next; it doubles.</summary>
    public TimeSpan Interval { get; set; }

    public Instant GiveUpAt { get; set; }

    public void ReturnBody() => ArrayPool<byte>.Shared.Return(_body);
}
