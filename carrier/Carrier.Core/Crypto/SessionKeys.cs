namespace Carrier.Core.Crypto;

public sealed class SessionKeys(CipherSuite suite, byte[] sendSecret, byte[] receiveSecret)
{
    public CipherSuite Suite => suite;

    public ReadOnlySpan<byte> SendSecret => sendSecret;

    public ReadOnlySpan<byte> ReceiveSecret => receiveSecret;
}
