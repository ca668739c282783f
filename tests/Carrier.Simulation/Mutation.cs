using Carrier.Core;

namespace Carrier.Simulation;

/// <summary>Makes a hostile datagram of a true one: flipped bits, a truncation, the right kind with noise behind it, or nothing but noise.</summary>
public static class Mutation
{
    /// <summary>The longest noise; as long as any datagram a node sends.</summary>
    private const int MaxNoiseBytes = 1_400;

    /// <summary>Writes the mutant to <paramref name="buffer"/>, which is at least as long as the model and the longest noise; returns its length, perhaps zero.</summary>
    public static int Mutate(ReadOnlySpan<byte> model, Span<byte> buffer, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        int bytes = model.Length;
        model.CopyTo(buffer);
        switch (random.NextInt32(4))
        {
            case 0:
                for (int flips = 1 + random.NextInt32(4); flips > 0; flips--)
                {
                    buffer[random.NextInt32(bytes)] ^= (byte)(1 << random.NextInt32(8));
                }

                break;
            case 1:
                bytes = random.NextInt32(bytes + 1);
                break;
            case 2:
                bytes = 1 + random.NextInt32(MaxNoiseBytes);
                random.Fill(buffer[1..bytes]);
                break;
            default:
                bytes = random.NextInt32(MaxNoiseBytes);
                random.Fill(buffer[..bytes]);
                break;
        }

        return bytes;
    }
}
