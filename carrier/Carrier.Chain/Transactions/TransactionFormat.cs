using System.Collections.Immutable;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Transactions;

/// <summary>The encoding of transactions; see <see cref="Transaction"/> for the bytes.</summary>
internal static class TransactionFormat
{
    private const byte DefaultOutputType = 0x00;

    public static TransactionReading TryRead(ref ByteReader reader, out Transaction? transaction)
    {
        transaction = null;
        int start = reader.Position;
        if (!reader.TryReadByte(out byte first))
        {
            return TransactionReading.Malformed;
        }

        TransactionVersion version = first < (byte)TransactionVersion.V9 ? TransactionVersion.V0 : (TransactionVersion)first;
        byte type = first;
        if (version is not (TransactionVersion.V0 or TransactionVersion.V9))
        {
            return TransactionReading.UnknownType;
        }

        if ((version == TransactionVersion.V9 && !reader.TryReadByte(out type)) || !reader.TryReadByte(out byte payloadVersion))
        {
            return TransactionReading.Malformed;
        }

        int payloadStart = reader.Position;
        TransactionReading reading = PayloadFormat.Skip(ref reader, (TransactionType)type, payloadVersion);
        if (reading != TransactionReading.Read)
        {
            return reading;
        }

        byte[] payload = reader.Since(payloadStart).ToArray();
        ImmutableArray<TransactionInput> inputs = [];
        ImmutableArray<TransactionOutput> outputs = [];
        ImmutableArray<TransactionProgram> programs = [];
        uint lockTime = 0;
        reading = ReadAttributes(ref reader, out ImmutableArray<TransactionAttribute> attributes);
        reading = reading != TransactionReading.Read ? reading : ReadInputs(ref reader, out inputs);
        reading = reading != TransactionReading.Read ? reading : ReadOutputs(ref reader, version, out outputs);
        if (reading != TransactionReading.Read)
        {
            return reading;
        }

        if (!reader.TryReadUInt32(out lockTime) || !ReadPrograms(ref reader, out programs) || reader.Position - start > TransactionLimits.MaxBytes)
        {
            return TransactionReading.Malformed;
        }

        transaction = new Transaction
        {
            Version = version,
            Type = (TransactionType)type,
            PayloadVersion = payloadVersion,
            Payload = payload,
            Attributes = attributes,
            Inputs = inputs,
            Outputs = outputs,
            LockTime = lockTime,
            Programs = programs,
        };
        return TransactionReading.Read;
    }

    public static void Write(ByteWriter writer, Transaction transaction)
    {
        WriteUnsigned(writer, transaction);
        writer.WriteVarint((ulong)transaction.Programs.Length);
        foreach (TransactionProgram program in transaction.Programs)
        {
            writer.WriteBytes(program.Parameter.Span);
            writer.WriteBytes(program.Code.Span);
        }
    }

    public static void WriteUnsigned(ByteWriter writer, Transaction transaction)
    {
        if (transaction.Version == TransactionVersion.V9)
        {
            writer.WriteByte((byte)TransactionVersion.V9);
        }

        writer.WriteByte((byte)transaction.Type);
        writer.WriteByte(transaction.PayloadVersion);
        writer.WriteSpan(transaction.Payload.Span);
        writer.WriteVarint((ulong)transaction.Attributes.Length);
        foreach (TransactionAttribute attribute in transaction.Attributes)
        {
            writer.WriteByte((byte)attribute.Usage);
            writer.WriteBytes(attribute.Data.Span);
        }

        writer.WriteVarint((ulong)transaction.Inputs.Length);
        foreach (TransactionInput input in transaction.Inputs)
        {
            writer.WriteHash(input.Previous.TransactionId);
            writer.WriteUInt16(input.Previous.Index);
            writer.WriteUInt32(input.Sequence);
        }

        writer.WriteVarint((ulong)transaction.Outputs.Length);
        foreach (TransactionOutput output in transaction.Outputs)
        {
            writer.WriteHash(output.Asset);
            writer.WriteUInt64((ulong)output.Value.Value);
            writer.WriteUInt32(output.OutputLock);
            writer.WriteSpan(output.Owner.Span);
            if (transaction.Version == TransactionVersion.V9)
            {
                writer.WriteByte(DefaultOutputType);
            }
        }

        writer.WriteUInt32(transaction.LockTime);
    }

    private static TransactionReading ReadAttributes(ref ByteReader reader, out ImmutableArray<TransactionAttribute> attributes)
    {
        attributes = [];
        if (!reader.TryReadCount(TransactionLimits.MaxAttributes, minItemBytes: 2, out int count))
        {
            return TransactionReading.Malformed;
        }

        var read = ImmutableArray.CreateBuilder<TransactionAttribute>(count);
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadByte(out byte usage))
            {
                return TransactionReading.Malformed;
            }

            if (!Enum.IsDefined((AttributeUsage)usage))
            {
                return TransactionReading.UnknownAttribute;
            }

            if (!reader.TryReadBytes(TransactionLimits.MaxAttributeBytes, out ReadOnlySpan<byte> data))
            {
                return TransactionReading.Malformed;
            }

            read.Add(new TransactionAttribute((AttributeUsage)usage, data.ToArray()));
        }

        attributes = read.MoveToImmutable();
        return TransactionReading.Read;
    }

    private static TransactionReading ReadInputs(ref ByteReader reader, out ImmutableArray<TransactionInput> inputs)
    {
        inputs = [];
        if (!reader.TryReadCount(TransactionLimits.MaxInputs, TransactionInput.Bytes, out int count))
        {
            return TransactionReading.Malformed;
        }

        var read = ImmutableArray.CreateBuilder<TransactionInput>(count);
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadHash(out Hash256 id) || !reader.TryReadUInt16(out ushort index) || !reader.TryReadUInt32(out uint sequence))
            {
                return TransactionReading.Malformed;
            }

            read.Add(new TransactionInput(new OutPoint(id, index), sequence));
        }

        inputs = read.MoveToImmutable();
        return TransactionReading.Read;
    }

    private static TransactionReading ReadOutputs(ref ByteReader reader, TransactionVersion version, out ImmutableArray<TransactionOutput> outputs)
    {
        outputs = [];
        if (!reader.TryReadCount(TransactionLimits.MaxOutputs, TransactionOutput.MinBytes, out int count))
        {
            return TransactionReading.Malformed;
        }

        var read = ImmutableArray.CreateBuilder<TransactionOutput>(count);
        Sela total = Sela.Zero;
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadHash(out Hash256 asset) || !reader.TryReadUInt64(out ulong value) || !reader.TryReadUInt32(out uint outputLock)
                || !reader.TryReadSpan(ProgramHash.Bytes, out ReadOnlySpan<byte> owner) || !ProgramHash.TryFromBytes(owner, out ProgramHash hash))
            {
                return TransactionReading.Malformed;
            }

            if (version == TransactionVersion.V9)
            {
                if (!reader.TryReadByte(out byte type))
                {
                    return TransactionReading.Malformed;
                }

                if (type != DefaultOutputType)
                {
                    return TransactionReading.UnknownOutput;
                }
            }

            if (asset != TransactionOutput.Ela)
            {
                return TransactionReading.UnknownOutput;
            }

            if (!Sela.TryFrom(unchecked((long)value), out Sela amount) || !total.TryAdd(amount, out total))
            {
                return TransactionReading.AmountOutOfRange;
            }

            read.Add(new TransactionOutput(amount, hash, outputLock, asset));
        }

        outputs = read.MoveToImmutable();
        return TransactionReading.Read;
    }

    private static bool ReadPrograms(ref ByteReader reader, out ImmutableArray<TransactionProgram> programs)
    {
        programs = [];
        if (!reader.TryReadCount(TransactionLimits.MaxPrograms, minItemBytes: 2, out int count))
        {
            return false;
        }

        var read = ImmutableArray.CreateBuilder<TransactionProgram>(count);
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadBytes(TransactionLimits.MaxParameterBytes, out ReadOnlySpan<byte> parameter)
                || !reader.TryReadBytes(TransactionLimits.MaxCodeBytes, out ReadOnlySpan<byte> code))
            {
                return false;
            }

            read.Add(new TransactionProgram(code.ToArray(), parameter.ToArray()));
        }

        programs = read.MoveToImmutable();
        return true;
    }
}
