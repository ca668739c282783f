using Carrier.Chain.Networks;
using Carrier.Core.Identity;

namespace Carrier.Chain.Headers;

/// <summary>The checkpoint files this program ships, one a network, signed by the project's key.</summary>
public static class Checkpoints
{
    /// <summary>Whose signature a shipped file must bear. Its private half is nowhere in the sources.</summary>
    public static readonly OwnerPublicKey ProjectKey = ReadKey("02fd3dcc488a8ed498e4bec358b56ee86a2916f6c385d7ed5334a11087640bb450");

    /// <summary>Where to begin on a network: its newest shipped checkpoint, else its genesis block.</summary>
    /// <exception cref="InvalidDataException">The shipped file is damaged or not signed by the project.</exception>
    public static HeaderAnchor Newest(ChainNetwork network)
    {
        ArgumentNullException.ThrowIfNull(network);
        CheckpointFile? file = Load(network.Name);
        return file is { Checkpoints: [.., var newest] } ? newest : HeaderAnchor.AtGenesis(network.Genesis);
    }

    /// <summary>The shipped file of a network; none for a private chain.</summary>
    public static CheckpointFile? Load(string network)
    {
        using Stream? stream = typeof(Checkpoints).Assembly.GetManifestResourceStream($"Carrier.Chain.Headers.checkpoints.{network}.txt");
        if (stream is null)
        {
            return null;
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return CheckpointFile.TryParse(bytes, ProjectKey, out CheckpointFile? file) && file.Network == network
            ? file
            : throw new InvalidDataException($"The checkpoints of {network} are damaged or not signed by the project.");
    }

    private static OwnerPublicKey ReadKey(string hex) =>
        OwnerPublicKey.TryFromBytes(Convert.FromHexString(hex), out OwnerPublicKey key) ? key : throw new InvalidOperationException("The project key is wrong.");
}
