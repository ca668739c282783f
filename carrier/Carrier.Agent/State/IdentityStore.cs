using System.Security.Cryptography;
using System.Text;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.State;

/// <summary>The identity of a home: makes it, opens it, and renews the device's delegation while the owner's key is here to sign one.</summary>
internal sealed class IdentityStore(AgentHome home, RandomSource random, TimeProvider time)
{
    /// <summary>How long a device speaks for its owner without a new word.</summary>
    public static readonly TimeSpan DelegationLifetime = TimeSpan.FromDays(365);

    /// <summary>A delegation with less left than this is renewed at the next start.</summary>
    public static readonly TimeSpan RenewBelow = TimeSpan.FromDays(180);

    /// <summary>A delegation is dated back, for peers whose clock is behind.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromHours(24);

    private UnixTime Now => new(time.GetUtcNow().ToUnixTimeSeconds());

    /// <summary>Makes the home's keys from a mnemonic, under a passphrase or, when it is null, under an unlock key beside them.</summary>
    /// <exception cref="AgentException">There are keys here already.</exception>
    public TrustId Create(Mnemonic mnemonic, string? passphrase)
    {
        home.Ensure();
        if (home.IsInitialized || File.Exists(home.OwnerKeys))
        {
            throw new AgentException(
                ExitCode.Usage, $"'{home.FullPath}' has an identity already: use another --home, or move that folder away first.");
        }

        using KeystoreSecret secret = passphrase is null ? MakeUnlockKey() : KeystoreSecret.FromPassphrase(passphrase);
        using OwnerKey owner = OwnerKey.FromMnemonic(mnemonic);
        using DeviceKeys device = DeviceKeys.Generate(random);
        using var ownerContents = new KeystoreContents { Mnemonic = mnemonic, Owner = owner };
        DurableFile.Write(home.OwnerKeys, Keystore.Seal(secret, ownerContents, random));
        RememberTrustId(owner.TrustId);
        // The device's file comes last: a home with it is complete.
        WriteDevice(secret, device, Delegate(owner, device));
        return owner.TrustId;
    }

    /// <summary>Whether opening needs a passphrase.</summary>
    public bool NeedsPassphrase() =>
        Keystore.TryReadLock(ReadKeystore(home.DeviceKeys), out KeystoreLock kind) && kind == KeystoreLock.Passphrase;

    /// <summary>Opens the device's keys; the contents are the caller's to dispose. A delegation that runs out is renewed on the way.</summary>
    /// <exception cref="AgentException">There are none, they are damaged, or the passphrase is not theirs.</exception>
    public KeystoreContents Open(string? passphrase)
    {
        using KeystoreSecret secret = Secret(passphrase);
        KeystoreContents contents = Open(home.DeviceKeys, secret);
        if (contents is not { Device: { } device, Delegation: { } delegation })
        {
            contents.Dispose();
            throw new AgentException(ExitCode.Failure, $"'{home.DeviceKeys}' holds no device keys: restore the identity with carrier init --restore.");
        }

        RememberTrustId(delegation.TrustId);
        if (delegation.NotAfter - Now >= RenewBelow || !File.Exists(home.OwnerKeys))
        {
            return delegation.NotAfter < Now ? throw Expired(contents) : contents;
        }

        using KeystoreContents ownerContents = Open(home.OwnerKeys, secret);
        if (ownerContents.Owner is not { } owner)
        {
            return contents;
        }

        Delegation renewed = Delegate(owner, device);
        WriteDevice(secret, device, renewed);
        return new KeystoreContents { Device = device, Delegation = renewed };
    }

    /// <summary>Opens the owner's keys; the contents are the caller's to dispose.</summary>
    /// <exception cref="AgentException">They are not here, are damaged, or the passphrase is not theirs.</exception>
    public KeystoreContents OpenOwner(string? passphrase)
    {
        if (!File.Exists(home.OwnerKeys))
        {
            throw new AgentException(ExitCode.Usage, $"The owner's key is not in '{home.FullPath}': run this where it is.");
        }

        using KeystoreSecret secret = Secret(passphrase);
        KeystoreContents contents = Open(home.OwnerKeys, secret);
        if (contents.Owner is null)
        {
            contents.Dispose();
            throw new AgentException(ExitCode.Failure, $"'{home.OwnerKeys}' holds no owner key.");
        }

        return contents;
    }

    /// <summary>The TrustID of this home, without opening its keys.</summary>
    /// <exception cref="AgentException">There is no identity here.</exception>
    public TrustId ReadTrustId()
    {
        ReadKeystore(home.DeviceKeys);
        FileReading reading = DurableFile.TryRead(home.TrustId, TrustId.TextLength, out byte[] text);
        return reading == FileReading.Read && TrustId.TryParse(Encoding.ASCII.GetString(text), out TrustId id)
            ? id
            : throw new AgentException(ExitCode.Failure, $"'{home.TrustId}' is missing or damaged: start the agent with carrier up, which writes it anew.");
    }

    private void RememberTrustId(TrustId id)
    {
        byte[] text = Encoding.ASCII.GetBytes(id.ToString());
        if (DurableFile.TryRead(home.TrustId, text.Length, out byte[] written) != FileReading.Read || !written.AsSpan().SequenceEqual(text))
        {
            DurableFile.Write(home.TrustId, text);
        }
    }

    private Delegation Delegate(OwnerKey owner, DeviceKeys device) => Delegation.Issue(
        owner, device, (ulong)Now.Seconds, Now - ClockTolerance, Now + DelegationLifetime, DelegationUses.All);

    private void WriteDevice(KeystoreSecret secret, DeviceKeys device, Delegation delegation)
    {
        // Not disposed: the keys are the caller's.
        var contents = new KeystoreContents { Device = device, Delegation = delegation };
        DurableFile.Write(home.DeviceKeys, Keystore.Seal(secret, contents, random));
    }

    private KeystoreSecret MakeUnlockKey()
    {
        KeystoreSecret secret = KeystoreSecret.GenerateUnlockKey(random);
        Span<byte> key = stackalloc byte[KeystoreSecret.UnlockKeyBytes];
        secret.CopyUnlockKeyTo(key);
        DurableFile.Write(home.UnlockKey, key);
        CryptographicOperations.ZeroMemory(key);
        return secret;
    }

    private KeystoreSecret Secret(string? passphrase)
    {
        if (NeedsPassphrase())
        {
            return passphrase is { Length: > 0 }
                ? KeystoreSecret.FromPassphrase(passphrase)
                : throw new AgentException(ExitCode.Usage, "These keys are under a passphrase: type it at the prompt or set CARRIER_PASSPHRASE.");
        }

        FileReading reading = DurableFile.TryRead(home.UnlockKey, KeystoreSecret.UnlockKeyBytes, out byte[] key);
        bool read = reading == FileReading.Read & KeystoreSecret.TryFromUnlockKey(key, out KeystoreSecret? secret);
        CryptographicOperations.ZeroMemory(key);
        return read ? secret! : throw new AgentException(
            ExitCode.Failure, $"'{home.UnlockKey}' is missing or damaged: restore the identity from its mnemonic in another home.");
    }

    private byte[] ReadKeystore(string path) => DurableFile.TryRead(path, Keystore.MaxBytes, out byte[] file) switch
    {
        FileReading.Read => file,
        FileReading.Missing => throw new AgentException(ExitCode.Usage, $"There is no identity in '{home.FullPath}': run carrier init first."),
        _ => throw new AgentException(ExitCode.Failure, $"'{path}' is no keystore."),
    };

    private KeystoreContents Open(string path, KeystoreSecret secret) => Keystore.TryOpen(ReadKeystore(path), secret, out KeystoreContents? contents) switch
    {
        KeystoreOpening.Opened => contents!,
        KeystoreOpening.WrongPassphrase => throw new AgentException(ExitCode.Usage, "That is not the passphrase of these keys: try again."),
        KeystoreOpening.Corrupt => throw new AgentException(ExitCode.Failure, $"'{path}' is damaged: restore the identity from its mnemonic in another home."),
        KeystoreOpening opening => throw new AgentException(ExitCode.Failure, $"'{path}' cannot be opened ({opening}): it may be a later version's."),
    };

    private AgentException Expired(KeystoreContents contents)
    {
        contents.Dispose();
        return new AgentException(
            ExitCode.Failure,
            $"This device's delegation has expired and the owner's key is not in '{home.FullPath}' to renew it: restore the identity with carrier init --restore.");
    }
}
