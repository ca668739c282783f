using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Rpc;

/// <summary>The plaintext of a sealed question.</summary>
/// <remarks>
/// A CBOR map; a key above 4 is skipped:
/// <code>
/// 0  call id     unsigned, random 64 bits; the answer opens with it
/// 1  method      unsigned: 0–15 the DHT's (<see cref="DhtMethod"/>), 16 and up the node's
/// 2  token       bytes, 16: the address token the receiver last gave this asker; absent when none is known
/// 3  asker       bytes, 33: choice ‖ transport key of an asker that itself serves; absent for clients
/// 4  body        any one item, as the method says
/// </code>
/// </remarks>
internal ref struct QuestionMessage
{
    /// <summary>Everything but the body, at its longest.</summary>
    public const int MaxHeadBytes = 1 + 10 + 4 + 18 + 36 + 1;

    private const int AskerBytes = 1 + PublicKey.Bytes;

    public ulong CallId;
    public int Method;
    public bool HasToken;
    public UInt128 Token;
    public bool HasAsker;
    public byte AskerChoice;
    public PublicKey AskerKey;
    public ReadOnlySpan<byte> Body;

    public static bool TryParse(ReadOnlySpan<byte> plaintext, out QuestionMessage question)
    {
        question = default;
        CborReader reader = new(plaintext);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        int key = -1;
        int required = 0;
        for (int i = 0; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key))
            {
                return false;
            }

            bool read = key switch
            {
                0 => reader.TryReadUInt(out question.CallId),
                1 => TryReadMethod(ref reader, out question.Method),
                2 => question.HasToken = AnswerMessage.TryReadToken(ref reader, out question.Token),
                3 => question.HasAsker = TryReadAsker(ref reader, out question.AskerChoice, out question.AskerKey),
                4 => reader.TryReadRaw(out question.Body),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            required += key is 0 or 1 or 4 ? 1 : 0;
        }

        return required == 3 && reader.AtEnd;
    }

    public readonly void Write(ref CborWriter writer)
    {
        writer.WriteMap(3 + (HasToken ? 1 : 0) + (HasAsker ? 1 : 0));
        writer.WriteUInt(0);
        writer.WriteUInt(CallId);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Method);
        if (HasToken)
        {
            writer.WriteUInt(2);
            AnswerMessage.WriteToken(ref writer, Token);
        }

        if (HasAsker)
        {
            Span<byte> asker = stackalloc byte[AskerBytes];
            asker[0] = AskerChoice;
            AskerKey.Span.CopyTo(asker[1..]);
            writer.WriteUInt(3);
            writer.WriteBytes(asker);
        }

        writer.WriteUInt(4);
        writer.WriteRaw(Body);
    }

    private static bool TryReadMethod(ref CborReader reader, out int method)
    {
        bool read = reader.TryReadUInt(out ulong value) && value <= ushort.MaxValue;
        method = (int)value;
        return read;
    }

    private static bool TryReadAsker(ref CborReader reader, out byte choice, out PublicKey key)
    {
        bool read = reader.TryReadBytes(AskerBytes, out ReadOnlySpan<byte> asker) && asker[0] <= NodeId.MaxChoice;
        choice = read ? asker[0] : default;
        key = read ? new PublicKey(asker[1..]) : default;
        return read;
    }
}
