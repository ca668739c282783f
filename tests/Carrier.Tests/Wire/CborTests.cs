using System.Formats.Cbor;
using Carrier.Core;
using CsCheck;
using CborReader = Carrier.Core.Wire.CborReader;
using CborWriter = Carrier.Core.Wire.CborWriter;
using Judge = System.Formats.Cbor;

namespace Carrier.Tests.Wire;

/// <summary>Our reader and writer against the platform's, which is slower and throws but was made by others.</summary>
public sealed class CborTests
{
    private const int MaxNesting = 4;

    private static readonly Gen<Item> Leaf = Gen.OneOf(
        Gen.Select(Gen.ULong, Gen.Int[0, 63]).Select((number, shift) => new Item(Kind.UInt, Number: number >> shift)),
        Gen.Bool.Select(truth => new Item(Kind.Bool, Number: truth ? 1UL : 0)),
        Gen.Byte.Array[0, 300].Select(bytes => new Item(Kind.Bytes, Bytes: bytes)),
        Gen.String[Gen.Char.AlphaNumeric, 0, 40].Select(text => new Item(Kind.Text, Text: text + "é✓")));

    /// <summary>Any item Carrier's formats use, as a writer for both libraries.</summary>
    private static readonly Gen<Item> GenItem = Gen.Recursive<Item>((depth, item) => depth >= MaxNesting ? Leaf : Gen.Frequency(
        (4, Leaf),
        (1, item.Array[0, 5].Select(items => new Item(Kind.Array, Items: items))),
        (1, Gen.Select(Gen.UShort.HashSet[0, 5], item.Array[5]).Select(
            (keys, items) => new Item(Kind.Map, Keys: [.. keys.Order()], Items: items)))));

    private enum Kind
    {
        UInt,
        Bool,
        Bytes,
        Text,
        Array,
        Map,
    }

    [Fact]
    public void CborWriter_writes_what_the_judge_writes() => GenItem.Sample(item =>
    {
        byte[] expected = EncodeByJudge(item);
        var ours = new CborWriter(new byte[expected.Length]);
        Write(ref ours, item);
        return !ours.Overflowed && ours.Encoded.SequenceEqual(expected);
    });

    [Fact]
    public void CborReader_reads_what_the_judge_wrote() => GenItem.Sample(item =>
    {
        byte[] encoded = EncodeByJudge(item);
        var reader = new CborReader(encoded);
        var skipper = new CborReader([.. encoded, 0x00]);
        return Reads(ref reader, item) && reader.AtEnd
            && skipper.TryReadRaw(out ReadOnlySpan<byte> raw) && raw.SequenceEqual(encoded) && skipper.Rest.Length == 1;
    });

    [Fact]
    public void CborReader_every_truncation_is_refused() => GenItem.Sample(
        item =>
        {
            byte[] encoded = EncodeByJudge(item);
            for (int length = 0; length < encoded.Length; length++)
            {
                var reader = new CborReader(encoded.AsSpan(0, length));
                Assert.False(reader.TrySkip());
            }
        },
        iter: 30);

    [Fact]
    public void CborReader_takes_only_what_the_judge_calls_canonical() => Gen.Byte.Array[1, 12].Sample(
        bytes =>
        {
            var reader = new CborReader(bytes);
            if (!reader.TryReadRaw(out ReadOnlySpan<byte> item))
            {
                return;
            }

            // Canonical order of map keys is left to TryReadKey, so the judge is asked without it where a map is inside.
            var judge = new Judge.CborReader(item.ToArray(), HoldsMap(item) ? CborConformanceMode.Lax : CborConformanceMode.Canonical);
            judge.SkipValue();
            Assert.Equal(0, judge.BytesRemaining);
        },
        iter: 20_000);

    [Theory]
    [InlineData("1817", "a longer head than needed")]
    [InlineData("190017", "a longer head than needed")]
    [InlineData("1a00000017", "a longer head than needed")]
    [InlineData("1b0000000000000017", "a longer head than needed")]
    [InlineData("580161", "a longer head than needed")]
    [InlineData("5f4161ff", "indefinite length")]
    [InlineData("9f00ff", "indefinite length")]
    [InlineData("bf0000ff", "indefinite length")]
    [InlineData("20", "a negative number")]
    [InlineData("c000", "a tag")]
    [InlineData("f93c00", "a float")]
    [InlineData("fb3ff0000000000000", "a float")]
    [InlineData("f6", "null")]
    [InlineData("f7", "undefined")]
    [InlineData("f815", "true in two bytes")]
    [InlineData("1c", "a reserved head")]
    [InlineData("ff", "a lone break")]
    public void CborReader_forms_outside_the_subset_are_refused(string hex, string why)
    {
        var reader = new CborReader(Convert.FromHexString(hex));
        Assert.False(reader.TrySkip(), why);
    }

    [Theory]
    [InlineData("5b7fffffffffffffff")]
    [InlineData("7b7fffffffffffffff")]
    [InlineData("9b7fffffffffffffff")]
    [InlineData("bb7fffffffffffffff")]
    [InlineData("5bffffffffffffffff")]
    [InlineData("9bffffffffffffffff")]
    [InlineData("a2000001")]
    [InlineData("82")]
    public void CborReader_a_length_beyond_the_rest_is_refused(string hex)
    {
        var reader = new CborReader(Convert.FromHexString(hex).AsSpan(0, Math.Min(9, hex.Length / 2)));
        Assert.False(reader.TrySkip());
    }

    [Fact]
    public void CborReader_sixty_five_thousand_nested_arrays_are_refused_not_followed()
    {
        byte[] nested = new byte[65_000];
        Array.Fill(nested, (byte)0x81);
        var reader = new CborReader(nested);
        Assert.False(reader.TrySkip());

        var deepest = new CborReader([0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x00]);
        Assert.True(deepest.TrySkip());
    }

    [Fact]
    public void TryReadKey_keys_must_ascend_and_stay_small()
    {
        int previous = -1;
        var reader = new CborReader([0x00, 0x05, 0x05]);
        Assert.True(reader.TryReadKey(ref previous));
        Assert.True(reader.TryReadKey(ref previous));
        Assert.Equal(5, previous);
        Assert.False(reader.TryReadKey(ref previous));

        var large = new CborReader([0x1A, 0x00, 0x01, 0x00, 0x00]);
        Assert.False(large.TryReadKey(ref previous));
    }

    [Fact]
    public void TryReadText_bad_utf8_and_long_text_are_refused()
    {
        Assert.False(new CborReader([0x62, 0xC3, 0x28]).TryReadText(10, out _));
        Assert.False(new CborReader([0x63, 0xED, 0xA0, 0x80]).TryReadText(10, out _)); // a surrogate
        Assert.False(new CborReader([0x62, 0x61, 0x62]).TryReadText(1, out _));
        Assert.True(new CborReader([0x62, 0x61, 0x62]).TryReadText(2, out string text));
        Assert.Equal("ab", text);
    }

    [Theory]
    [InlineData("192.0.2.7:4001", 7)]
    [InlineData("[2001:db8::7]:4001", 19)]
    public void Endpoints_read_back(string text, int encodedBytes)
    {
        Assert.True(Endpoint.TryParse(text, out Endpoint endpoint));
        var writer = new CborWriter(new byte[32]);
        writer.WriteEndpoint(endpoint);
        Assert.Equal(encodedBytes, writer.Written);
        Assert.True(new CborReader(writer.Encoded).TryReadEndpoint(out Endpoint back));
        Assert.Equal(endpoint, back);
    }

    [Fact]
    public void TryReadEndpoint_an_ipv4_address_in_ipv6_form_is_refused()
    {
        // One encoding only: the mapped form of 192.0.2.7 in eighteen bytes.
        byte[] mapped = [0x52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 7, 0x0F, 0xA1];
        Assert.False(new CborReader(mapped).TryReadEndpoint(out _));
    }

    [Fact]
    public void CborWriter_overflow_is_remembered_and_gives_nothing()
    {
        var writer = new CborWriter(new byte[4]);
        writer.WriteBytes(new byte[10]);
        writer.WriteUInt(1);
        Assert.True(writer.Overflowed);
        Assert.True(writer.Encoded.IsEmpty);
    }

    private static byte[] EncodeByJudge(Item item)
    {
        // Not Canonical mode: its older rule sorts keys by length first, which for our small unsigned keys is the same order.
        var writer = new Judge.CborWriter(CborConformanceMode.Canonical);
        WriteByJudge(writer, item);
        return writer.Encode();
    }

    private static void WriteByJudge(Judge.CborWriter writer, Item item)
    {
        switch (item.Kind)
        {
            case Kind.UInt:
                writer.WriteUInt64(item.Number);
                break;
            case Kind.Bool:
                writer.WriteBoolean(item.Number == 1);
                break;
            case Kind.Bytes:
                writer.WriteByteString(item.Bytes!);
                break;
            case Kind.Text:
                writer.WriteTextString(item.Text!);
                break;
            case Kind.Array:
                writer.WriteStartArray(item.Items!.Length);
                Array.ForEach(item.Items, child => WriteByJudge(writer, child));
                writer.WriteEndArray();
                break;
            default:
                writer.WriteStartMap(item.Keys!.Length);
                for (int i = 0; i < item.Keys.Length; i++)
                {
                    writer.WriteUInt32(item.Keys[i]);
                    WriteByJudge(writer, item.Items![i]);
                }

                writer.WriteEndMap();
                break;
        }
    }

    private static void Write(ref CborWriter writer, Item item)
    {
        switch (item.Kind)
        {
            case Kind.UInt:
                writer.WriteUInt(item.Number);
                break;
            case Kind.Bool:
                writer.WriteBool(item.Number == 1);
                break;
            case Kind.Bytes:
                writer.WriteBytes(item.Bytes);
                break;
            case Kind.Text:
                writer.WriteText(item.Text);
                break;
            case Kind.Array:
                writer.WriteArray(item.Items!.Length);
                foreach (Item child in item.Items)
                {
                    Write(ref writer, child);
                }

                break;
            default:
                writer.WriteMap(item.Keys!.Length);
                for (int i = 0; i < item.Keys.Length; i++)
                {
                    writer.WriteUInt(item.Keys[i]);
                    Write(ref writer, item.Items![i]);
                }

                break;
        }
    }

    private static bool Reads(ref CborReader reader, Item item)
    {
        switch (item.Kind)
        {
            case Kind.UInt:
                return reader.TryReadUInt(out ulong number) && number == item.Number;
            case Kind.Bool:
                return reader.TryReadBool(out bool truth) && truth == (item.Number == 1);
            case Kind.Bytes:
                return reader.TryReadBytes(out ReadOnlySpan<byte> bytes) && bytes.SequenceEqual(item.Bytes);
            case Kind.Text:
                return reader.TryReadText(200, out string text) && text == item.Text;
            case Kind.Array:
                bool read = reader.TryReadArray(out int items) && items == item.Items!.Length;
                for (int i = 0; read && i < item.Items!.Length; i++)
                {
                    read = Reads(ref reader, item.Items[i]);
                }

                return read;
            default:
                read = reader.TryReadMap(out int pairs) && pairs == item.Keys!.Length;
                int key = -1;
                for (int i = 0; read && i < item.Keys!.Length; i++)
                {
                    read = reader.TryReadKey(ref key) && key == item.Keys[i] && Reads(ref reader, item.Items![i]);
                }

                return read;
        }
    }

    private static bool HoldsMap(ReadOnlySpan<byte> encoded) => encoded.ContainsAnyInRange((byte)0xA0, (byte)0xBF);

    private sealed record Item(
        Kind Kind, ulong Number = 0, byte[]? Bytes = null, string? Text = null, ushort[]? Keys = null, Item[]? Items = null);
}
