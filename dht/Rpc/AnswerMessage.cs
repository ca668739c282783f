using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Rpc;

/// <summary>The plaintext of a sealed answer.</summary>
/// <remarks>
/// A CBOR map; a key above 4 is skipped:
/// <code>
/// 0  observed    endpoint the question came from
/// 1  token       bytes, 16: the address token for that endpoint
/// 2  refusal     unsigned (<see cref="Refusal"/>); absent when the question is answered
/// 3  choice      unsigned 0–7: the answerer serves, and this is its choice of place; absent for clients
/// 4  body        any one item, as the method says; absent with a refusal
/// </code>
/// </remarks>
internal ref struct AnswerMessage
{
    /// <summary>Everything but the body, at its longest.</summary>
    public const int MaxHeadBytes = 1 + 20 + 18 + 2 + 2 + 1;

    public const int TokenBytes = 16;

    public Endpoint Observed;
    public UInt128 Token;
    public Refusal Refusal;
    public bool HasChoice;
    public byte Choice;
    public ReadOnlySpan<byte> Body;

    public static bool TryParse(ReadOnlySpan<byte> plaintext, out AnswerMessage answer)
    {
        answer = default;
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
                0 => reader.TryReadEndpoint(out answer.Observed),
                1 => TryReadToken(ref reader, out answer.Token),
                2 => TryReadRefusal(ref reader, out answer.Refusal),
                3 => answer.HasChoice = TryReadChoice(ref reader, out answer.Choice),
                4 => reader.TryReadRaw(out answer.Body),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            required += key is 0 or 1 ? 1 : 0;
        }

        return required == 2 && reader.AtEnd && answer.Body.IsEmpty == (answer.Refusal != Refusal.None);
    }

    public static bool TryReadToken(ref CborReader reader, out UInt128 token)
    {
        bool read = reader.TryReadBytes(TokenBytes, out ReadOnlySpan<byte> bytes);
        token = read ? BinaryPrimitives.ReadUInt128BigEndian(bytes) : default;
        return read;
    }

    public static void WriteToken(ref CborWriter writer, UInt128 token)
    {
        Span<byte> bytes = stackalloc byte[TokenBytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, token);
        writer.WriteBytes(bytes);
    }

    public readonly void Write(ref CborWriter writer)
    {
        bool refused = Refusal != Refusal.None;
        writer.WriteMap(3 + (HasChoice ? 1 : 0));
        writer.WriteUInt(0);
        writer.WriteEndpoint(Observed);
        writer.WriteUInt(1);
        WriteToken(ref writer, Token);
        if (refused)
        {
            writer.WriteUInt(2);
            writer.WriteUInt((ulong)Refusal);
        }

        if (HasChoice)
        {
            writer.WriteUInt(3);
            writer.WriteUInt(Choice);
        }

        if (!refused)
        {
            writer.WriteUInt(4);
            writer.WriteRaw(Body);
        }
    }

    private static bool TryReadRefusal(ref CborReader reader, out Refusal refusal)
    {
        bool read = reader.TryReadUInt(out ulong value) && value is > 0 and <= byte.MaxValue;
        refusal = (Refusal)value;
        return read;
    }

    private static bool TryReadChoice(ref CborReader reader, out byte choice)
    {
        bool read = reader.TryReadUInt(out ulong value) && value <= NodeId.MaxChoice;
        choice = read ? (byte)value : default;
        return read;
    }
}
