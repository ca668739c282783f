using System.Text.Json;
using Carrier.Fuzz.Targets;

namespace Carrier.Tests.Identity;

/// <summary>The fuzz targets over golden bytes and every change of one of their bits.</summary>
public sealed class IdentityTargetsTests
{
    private delegate void Target(ReadOnlySpan<byte> data);

    private static JsonElement Golden => IdentityVectors.Identity;

    [Fact]
    public void Delegations_holds() => RunOnFlips(IdentityTargets.Delegations, Golden.GetProperty("delegation").Hex("encoded"));

    [Fact]
    public void Revocations_holds() => RunOnFlips(IdentityTargets.Revocations, Golden.GetProperty("revocation").Hex("encoded"));

    [Fact]
    public void Keystores_holds() => RunOnFlips(IdentityTargets.Keystores, Golden.GetProperty("keystore").Hex("under_unlock_key"));

    [Fact]
    public void KeystoreMaps_holds() => RunOnFlips(
        IdentityTargets.KeystoreMaps, [0xA2, 0x01, 0x50, .. new byte[16], 0x03, 0x58, 0x40, .. Golden.GetProperty("keystore").Hex("device_private")]);

    [Fact]
    public void TrustIdText_holds() => RunOnFlips(IdentityTargets.TrustIdText, "ET1M8dqYHUy1tXE69R2kD4bzVzjWSFBArT"u8.ToArray());

    [Fact]
    public void MnemonicText_holds() => RunOnFlips(
        IdentityTargets.MnemonicText, "cloth always junk crash fun exist stumble shift over benefit fun toe"u8.ToArray());

    private static void RunOnFlips(Target target, byte[] golden)
    {
        target(golden);
        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            golden[bit / 8] ^= (byte)(1 << (bit % 8));
            target(golden);
            golden[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }
}
