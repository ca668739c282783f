using System.Globalization;

namespace Carrier.Tests.Storage;

/// <summary>How often the tests that kill processes do so: a few times in CI; <c>CARRIER_TEST_KILLS=1000</c> makes the long run.</summary>
internal static class LongRun
{
    public static int Kills(int usual) =>
        Environment.GetEnvironmentVariable("CARRIER_TEST_KILLS") is { } set ? int.Parse(set, CultureInfo.InvariantCulture) : usual;
}
