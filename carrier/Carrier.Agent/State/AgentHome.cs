using Carrier.Core.Storage;

namespace Carrier.Agent.State;

/// <summary>The folder an agent lives in: <c>--home</c>, else <c>$CARRIER_HOME</c>, else <c>~/.carrier</c>. Mode 0700; every file in it 0600.</summary>
/// <remarks>
/// <code>
///  device.keys   keystore: device keys, delegation        unlock.key    opens both keystores when there is no passphrase
///  owner.keys    keystore: mnemonic, owner key            config.json   seeds, allow list, folder for received files
///  trust-id      the TrustID, for whoever looks without the passphrase
///  lock          held by the process that runs the node   control.sock  where that process is asked for things
///  tunnels.json  services and forwards that outlive a restart
///  channels.json which chain payment channels are on, and whose are taken
///  logs/         access.jsonl: who used which service
///  node/         routing table, records, known peers      received/     files that arrived, unless told otherwise
///  chain/        headers, wallet and payment channels, a folder for each network
/// </code>
/// </remarks>
internal sealed class AgentHome
{
    private AgentHome(string path) => FullPath = path;

    public string FullPath { get; }

    public string DeviceKeys => Below("device.keys");

    public string OwnerKeys => Below("owner.keys");

    public string UnlockKey => Below("unlock.key");

    public string TrustId => Below("trust-id");

    public string Config => Below("config.json");

    public string Lock => Below("lock");

    public string ControlSocket => Below("control.sock");

    public string NodeState => Below("node");

    public string Tunnels => Below("tunnels.json");

    public string ChannelSettings => Below("channels.json");

    public string Chain => Below("chain");

    public string Logs => Below("logs");

    public string Received => Below("received");

    /// <summary>Whether <c>carrier init</c> was run here.</summary>
    public bool IsInitialized => File.Exists(DeviceKeys);

    public static AgentHome At(string? home)
    {
        string path = home
            ?? (Environment.GetEnvironmentVariable("CARRIER_HOME") is { Length: > 0 } set ? set : null)
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".carrier");
        return new AgentHome(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
    }

    /// <summary>Creates the folder, or holds an existing one to its mode.</summary>
    /// <exception cref="UnauthorizedAccessException">Others may enter it.</exception>
    public void Ensure() => PrivateFolder.Ensure(FullPath);

    private string Below(string name) => Path.Combine(FullPath, name);
}
