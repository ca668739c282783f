using System.Security.Cryptography;
using System.Text;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Storage;

namespace Carrier.Seed;

/// <summary>A seed's folder: its lasting transport key, and a lock so that two processes never share it. What the node keeps lies beside.</summary>
/// <remarks>
/// The key file is text, two lines: <c>private</c> and <c>public</c>, each with 64 hex digits. The second is checked against the first, so that a
/// damaged file is noticed: a seed with another key would be a stranger to everybody who has its address.
/// </remarks>
internal sealed class SeedState : IDisposable
{
    public const string KeyFile = "transport.key";
    public const string LockFile = "lock";

    private const int Digits = 2 * TransportKey.Bytes;
    private const int PublicWordAt = 8 + Digits;
    private const int PublicKeyAt = PublicWordAt + 8;
    private const int FileBytes = PublicKeyAt + Digits + 1;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly FileStream _lock;

    private SeedState(FileStream held, TransportKey key) => (_lock, Key) = (held, key);

    private static ReadOnlySpan<byte> PrivateWord => "private "u8;

    private static ReadOnlySpan<byte> PublicWord => "\npublic "u8;

    /// <summary>Who this seed is. Disposed with this.</summary>
    public TransportKey Key { get; }

    /// <summary>Takes the folder, made if missing, and its key, made at the first start.</summary>
    /// <exception cref="IOException">Another process holds the folder, the key file is damaged, or the disk failed.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written to, or others may read the key.</exception>
    public static SeedState Open(string folder, RandomSource random)
    {
        if (OperatingSystem.IsWindows())
        {
            _ = Directory.CreateDirectory(folder);
        }
        else
        {
            _ = Directory.CreateDirectory(folder, OwnerOnly);
        }

        FileStream held = Lock(folder);
        try
        {
            DurableFile.CleanLeftovers(folder);
            return new SeedState(held, ReadKey(Path.Combine(folder, KeyFile), random));
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Key.Dispose();
        _lock.Dispose();
    }

    private static FileStream Lock(string folder)
    {
        string path = Path.Combine(folder, LockFile);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new IOException($"{path} cannot be locked: does another seed run with this state folder? ({e.Message})", e);
        }
    }

    private static TransportKey ReadKey(string path, RandomSource random)
    {
        FileReading reading = DurableFile.TryRead(path, FileBytes, out byte[] contents);
        if (reading == FileReading.Missing)
        {
            return MakeKey(path, random);
        }

        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
        {
            throw new UnauthorizedAccessException($"{path} is this seed's secret and others may read it: run chmod 600 on it.");
        }

        TransportKey? key = Parse(contents);
        CryptographicOperations.ZeroMemory(contents);
        return key ?? throw new IOException(
            $"{path} is damaged. Restore it from a backup; or move it away, and the seed makes a new identity that nobody's seed list knows.");
    }

    private static TransportKey MakeKey(string path, RandomSource random)
    {
        var key = TransportKey.Generate(random);
        Span<byte> secret = stackalloc byte[TransportKey.Bytes];
        key.Export(secret);
        byte[] contents = new byte[FileBytes];
        PrivateWord.CopyTo(contents);
        _ = Convert.TryToHexStringLower(secret, contents.AsSpan(PrivateWord.Length), out _);
        CryptographicOperations.ZeroMemory(secret);
        PublicWord.CopyTo(contents.AsSpan(PublicWordAt));
        _ = Encoding.ASCII.GetBytes($"{key.Public}\n", contents.AsSpan(PublicKeyAt));
        DurableFile.Write(path, contents);
        CryptographicOperations.ZeroMemory(contents);
        return key;
    }

    private static TransportKey? Parse(ReadOnlySpan<byte> contents)
    {
        Span<byte> secret = stackalloc byte[TransportKey.Bytes];
        if (contents.Length != FileBytes || !contents.StartsWith(PrivateWord) || !contents[PublicWordAt..].StartsWith(PublicWord)
            || Convert.FromHexString(contents.Slice(PrivateWord.Length, Digits), secret, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return null;
        }

        var key = TransportKey.Import(secret);
        CryptographicOperations.ZeroMemory(secret);
        if (Encoding.ASCII.GetString(contents.Slice(PublicKeyAt, Digits)) == key.Public.ToString())
        {
            return key;
        }

        key.Dispose();
        return null;
    }
}
