using Carrier.Chain.Headers;
using Carrier.Core.Identity;
using Carrier.Tests.Architecture;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>What a maintainer does: adds a checkpoint from a chain that was followed, signs it, and has it checked.</summary>
public class CheckpointsCommandTests
{
    [Fact]
    public async Task Sign_adds_a_checkpoint_of_the_followed_chain_and_check_wants_the_key()
    {
        using var folder = new TemporaryFolder();
        await using DevnetProcess devnet = await DevnetProcess.StartAsync();
        await devnet.MineAsync(800);
        await devnet.MineAsync(600);
        string home = folder.File("home");
        _ = (await CarrierProcess.RunAsync("", "init", "--no-passphrase", "--home", home, "--json")).Well();
        string file = folder.File("checkpoints.txt");
        File.Copy(Path.Combine(Repository.Root, "carrier", "Carrier.Chain", "Headers", "checkpoints.devnet.txt"), file);
        string[] node = ["--network", "devnet", "--node", devnet.Address.ToString()];

        Assert.Equal(2, (await CarrierProcess.RunAsync("", ["checkpoints", "sign", file, "--add-height", "720", "--home", home, .. node])).Code); // one node is not enough
        string[] nodes = [.. node, "--node", devnet.Address.ToString()];
        Assert.Equal(2, (await CarrierProcess.RunAsync("", ["checkpoints", "sign", file, "--add-height", "1440", "--home", home, .. nodes])).Code); // not deep enough
        CarrierProcess.Ending signed = (await CarrierProcess.RunAsync("", ["checkpoints", "sign", file, "--add-height", "720", "--home", home, .. nodes])).Well();
        string key = signed.Text.Trim()[^(2 * OwnerPublicKey.Bytes)..];
        _ = (await CarrierProcess.RunAsync("", "checkpoints", "check", file, "--key", key)).Well();
        Assert.Equal(5, (await CarrierProcess.RunAsync("", "checkpoints", "check", file)).Code); // not the project's

        Assert.True(OwnerPublicKey.TryFromBytes(Convert.FromHexString(key), out OwnerPublicKey signer));
        Assert.True(CheckpointFile.TryParse(await File.ReadAllBytesAsync(file), signer, out CheckpointFile? checkpoints));
        Assert.Equal([0u, 720u], checkpoints.Checkpoints.Select(anchor => anchor.Header.Height));
    }
}
