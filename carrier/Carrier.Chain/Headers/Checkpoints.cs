using Carrier.Chain.Networks;
using Carrier.Core.Identity;

namespace Carrier.Chain.Headers;

/// <summary>The checkpoint files this program ships, one a network, signed by the project's key.</summary>
public static class Checkpoints
{
    /// <summary>Whose signature a shipped file must bear. Its private half is nowhere in the sources.</summary>
    public static readonly OwnerPublicKey ProjectKey = ReadKey("02608b71563255c7e3efce3b23d27c086935651fc9af9c3a71196fecd68ba742ba");

    /// <summary>Where to begin on a network: its newest shipped checkpoint, else its genesis block.</summary>
    /// <exception cref="InvalidDataException">The shipped file is damaged or not signed by the project.</exception>
    public static HeaderAnchor Newest(ChainNetwork network) => Anchors(network)[^1];

    /// <summary>Everywhere a client may have begun: the genesis block, then every shipped checkpoint.</summary>
    /// <exception cref="InvalidDataException">The shipped file is damaged or not signed by the project.</exception>
    public static IReadOnlyList<HeaderAnchor> Anchors(ChainNetwork network)
    {
        ArgumentNullException.ThrowIfNull(network);
        return [HeaderAnchor.AtGenesis(network.Genesis), .. (Load(network.Name)?.Checkpoints ?? []).Where(anchor => anchor.Header.Height > 0)];
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
