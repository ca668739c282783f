using System.Text;
using Carrier.Core;
using Carrier.Core.Wire;

namespace Carrier.Fuzz.Targets;

/// <summary>Parsers of the primitives: whatever is read must be written again the same.</summary>
public static class WireTargets
{
    public static void Cbor(ReadOnlySpan<byte> data)
    {
        var reader = new CborReader(data);
        if (!reader.TryReadRaw(out ReadOnlySpan<byte> item))
        {
            return;
        }

        byte[] room = new byte[item.Length];
        var writer = new CborWriter(room);
        var copied = new CborReader(item);
        Copy(ref copied, ref writer);
        Assert.True(copied.AtEnd);
        Assert.True(writer.Encoded.SequenceEqual(item));
    }

    public static void Varints(ReadOnlySpan<byte> data)
    {
        Span<byte> written = stackalloc byte[8];
        while (Varint.TryRead(ref data, out ulong value))
        {
            ReadOnlySpan<byte> again = written[..Varint.Write(written, value)];
            Assert.True(Varint.TryRead(ref again, out ulong back) && back == value && again.IsEmpty);
        }
    }

    public static void EndpointText(ReadOnlySpan<byte> data)
    {
        if (Endpoint.TryParse(Encoding.UTF8.GetString(data), out Endpoint endpoint) && !endpoint.IsNone)
        {
            Assert.True(Endpoint.TryParse(endpoint.ToString(), out Endpoint back));
            Assert.Equal(endpoint, back);
        }
    }

    public static void EndpointBytes(ReadOnlySpan<byte> data)
    {
        var reader = new CborReader(data);
        if (!reader.TryReadEndpoint(out Endpoint endpoint))
        {
            return;
        }

        var writer = new CborWriter(stackalloc byte[32]);
        writer.WriteEndpoint(endpoint);
        Assert.True(writer.Encoded.SequenceEqual(data[..(data.Length - reader.Rest.Length)]));
        _ = endpoint.Scope;
    }

    private static void Copy(ref CborReader reader, ref CborWriter writer)
    {
        switch (reader.Rest[0] >> 5)
        {
            case 0:
                Assert.True(reader.TryReadUInt(out ulong number));
                writer.WriteUInt(number);
                break;
            case 2:
                Assert.True(reader.TryReadBytes(out ReadOnlySpan<byte> bytes));
                writer.WriteBytes(bytes);
                break;
            case 3:
                Assert.True(reader.TryReadText(int.MaxValue, out string text));
                writer.WriteText(text);
                break;
            case 4:
                Assert.True(reader.TryReadArray(out int items));
                writer.WriteArray(items);
                CopyMany(ref reader, ref writer, items);
                break;
            case 5:
                Assert.True(reader.TryReadMap(out int pairs));
                writer.WriteMap(pairs);
                CopyMany(ref reader, ref writer, 2 * pairs);
                break;
            default:
                Assert.True(reader.TryReadBool(out bool truth));
                writer.WriteBool(truth);
                break;
        }
    }

    private static void CopyMany(ref CborReader reader, ref CborWriter writer, int items)
    {
        for (int i = 0; i < items; i++)
        {
            Copy(ref reader, ref writer);
        }
    }
}
