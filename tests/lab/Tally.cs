namespace Carrier.Lab;

/// <summary>What a command found, counted for its last line <c>lab: N passed, N failed, N skipped</c>. Speaks on standard error so that <c>--json</c> stays clean.</summary>
internal sealed class Tally
{
    public const int ExitPassed = 0;
    public const int ExitFailed = 1;
    public const int ExitUsage = 2;

    /// <summary>Nothing could be tried on this machine; the code automake's test drivers use.</summary>
    public const int ExitSkipped = 77;

    private int _passed;
    private int _failed;
    private int _skipped;

    public int ExitCode => _failed > 0 ? ExitFailed : _passed == 0 && _skipped > 0 ? ExitSkipped : ExitPassed;

    public void Check(bool holds, string what)
    {
        _ = holds ? _passed++ : _failed++;
        Say($"{(holds ? "ok    " : "FAILED")}  {what}");
    }

    public void Skip(string what, string howToGetIt)
    {
        _skipped++;
        Say($"skipped: {what}: {howToGetIt}");
    }

    public static void Say(string line) => Console.Error.WriteLine(line);

    public override string ToString() => $"lab: {_passed} passed, {_failed} failed, {_skipped} skipped";
}
