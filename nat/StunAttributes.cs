namespace Carrier.Nat;

/// <summary>Attribute types we read or write (RFC 8489 §18.3, RFC 5780 §7). Below 0x8000 a receiver must understand them or refuse the request.</summary>
internal static class StunAttribute
{
    public const ushort MappedAddress = 0x0001;
    public const ushort ChangeRequest = 0x0003;
    public const ushort Username = 0x0006;
    public const ushort MessageIntegrity = 0x0008;
    public const ushort ErrorCode = 0x0009;
    public const ushort UnknownAttributes = 0x000A;
    public const ushort Realm = 0x0014;
    public const ushort Nonce = 0x0015;
    public const ushort MessageIntegritySha256 = 0x001C;
    public const ushort PasswordAlgorithm = 0x001D;
    public const ushort Userhash = 0x001E;
    public const ushort XorMappedAddress = 0x0020;
    public const ushort Software = 0x8022;
    public const ushort Fingerprint = 0x8028;
    public const ushort ResponseOrigin = 0x802B;
    public const ushort OtherAddress = 0x802C;

    /// <summary>From here on a receiver may ignore what it does not know (RFC 8489 §14).</summary>
    public const ushort FirstOptional = 0x8000;

    /// <summary>Credentials are understood and not asked for: our service is open, as RFC 8489 §9 lets a server be.</summary>
    public static bool IsUnderstood(ushort type) => type is MappedAddress or Username or MessageIntegrity or ErrorCode or UnknownAttributes
        or Realm or Nonce or MessageIntegritySha256 or PasswordAlgorithm or Userhash or XorMappedAddress or >= FirstOptional;
}
