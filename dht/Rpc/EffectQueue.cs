using System.Buffers;

namespace Carrier.Dht.Rpc;

/// <summary>Effects waiting to be drained, with their bodies in pooled buffers; the body lent last is returned by the next take.</summary>
internal sealed class EffectQueue
{
    private readonly Queue<(RpcEffect Effect, byte[]? Buffer)> _queue = [];
    private byte[]? _lent;

    public int Count => _queue.Count;

    public void Add(in RpcEffect effect, ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty)
        {
            _queue.Enqueue((effect, null));
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(body.Length);
        body.CopyTo(buffer);
        _queue.Enqueue((effect with { Body = buffer.AsMemory(0, body.Length) }, buffer));
    }

    public bool TryTake(out RpcEffect effect)
    {
        if (_lent is not null)
        {
            ArrayPool<byte>.Shared.Return(_lent);
            _lent = null;
        }

        if (!_queue.TryDequeue(out (RpcEffect Effect, byte[]? Buffer) next))
        {
            effect = default;
            return false;
        }

        effect = next.Effect;
        _lent = next.Buffer;
        return true;
    }
}
