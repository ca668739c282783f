using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Carrier.Core.Crypto;
using Carrier.Seed;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Bootstrap;

public sealed partial class SeedStateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Folder => _folder.File("state");

    private string KeyFile => Path.Combine(Folder, SeedState.KeyFile);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_a_second_time_is_the_same_seed()
    {
        PublicKey first = OpenOnce();

        Assert.Equal(first, OpenOnce());
        string[] lines = File.ReadAllLines(KeyFile);
        Assert.Equal(2, lines.Length);
        Assert.Matches(PrivateLine(), lines[0]);
        Assert.Equal($"public {first}", lines[1]);
    }

    [Fact]
    public void Open_makes_folder_and_key_the_owners_alone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has access lists in place of modes.");
        _ = OpenOnce();

        Assert.Equal("700", Mode(Folder));
        Assert.Equal("600", Mode(KeyFile));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Open_a_key_others_may_read_is_refused()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has access lists in place of modes.");
        _ = OpenOnce();
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

        Assert.Contains("chmod 600", Assert.Throws<UnauthorizedAccessException>(() => _ = OpenOnce()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(12)]
    [InlineData(100)]
    [InlineData(140)]
    public void Open_a_damaged_key_is_refused_and_left_as_it_is(int at)
    {
        _ = OpenOnce();
        byte[] damaged = File.ReadAllBytes(KeyFile);
        damaged[at] = damaged[at] == '0' ? (byte)'1' : (byte)'0';
        File.WriteAllBytes(KeyFile, damaged);

        Assert.Contains("damaged", Assert.Throws<IOException>(() => _ = OpenOnce()).Message, StringComparison.Ordinal);
        Assert.Equal(damaged, File.ReadAllBytes(KeyFile));
    }

    [Fact]
    public void Open_a_truncated_key_is_refused_at_every_length()
    {
        _ = OpenOnce();
        byte[] whole = File.ReadAllBytes(KeyFile);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(KeyFile, whole[..length]);
            Assert.Throws<IOException>(() => _ = OpenOnce());
        }
    }

    [Fact]
    public void Open_while_another_holds_the_folder_is_refused()
    {
        using var held = SeedState.Open(Folder, SystemRandomSource.Shared);

        Assert.Contains("another seed", Assert.Throws<IOException>(() => _ = OpenOnce()).Message, StringComparison.Ordinal);
    }

    private static string Mode(string path) => OperatingSystem.IsWindows() ? "" : Convert.ToString((int)File.GetUnixFileMode(path), 8);

    [GeneratedRegex("^private [0-9a-f]{64}$")]
    private static partial Regex PrivateLine();

    private PublicKey OpenOnce()
    {
        using var state = SeedState.Open(Folder, SystemRandomSource.Shared);
        return state.Key.Public;
    }
}
