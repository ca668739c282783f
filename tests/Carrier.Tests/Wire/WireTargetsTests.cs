using Carrier.Fuzz.Targets;
using CsCheck;

namespace Carrier.Tests.Wire;

/// <summary>The fuzz targets over short random bytes: a fuzzer goes deeper, this keeps the targets themselves true.</summary>
public sealed class WireTargetsTests
{
    private static readonly Gen<byte[]> GenInput = Gen.Byte.Array[0, 24];

    [Fact]
    public void Cbor_holds() => GenInput.Sample(input => WireTargets.Cbor(input), iter: 10_000);

    [Fact]
    public void Varints_holds() => GenInput.Sample(input => WireTargets.Varints(input));

    [Fact]
    public void EndpointText_holds() =>
        Gen.String[Gen.Char["0123456789abcdef:.[]%"], 0, 24].Sample(text => WireTargets.EndpointText(System.Text.Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void EndpointBytes_holds() => Gen.Byte.Array[18].Sample(address => WireTargets.EndpointBytes([0x52, .. address]));
}
