using System.Text.Json;
using Carrier.Core.Identity;

namespace Carrier.Tests.Identity;

/// <summary>Recorded data of the Elastos chain, the BIPs and our own formats, from <c>Vectors/</c>.</summary>
internal static class IdentityVectors
{
    public static JsonElement Ela { get; } = Load("ela/keys.json");

    public static JsonElement Bip39 { get; } = Load("bip39.json");

    public static JsonElement Identity { get; } = Load("identity.json");

    /// <summary>A fixed owner, whose private scalar is public and worthless.</summary>
    public static OwnerKey Owner(string label = "alice")
    {
        JsonElement entry = Ela.GetProperty("keys").EnumerateArray().First(k => k.Text("label") == label);
        Assert.True(OwnerKey.TryFromPrivate(entry.Hex("private_key"), out OwnerKey? key));
        return key;
    }

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    public static byte[] Hex(this JsonElement element, string name) => Convert.FromHexString(element.Text(name));

    private static JsonElement Load(string file) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Vectors", file))).RootElement;
}
