using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Carrier.Seed.Configuration;

/// <summary>Puts a configuration together: a flag goes before a variable, a variable before the file, the file before the default.</summary>
internal static class ConfigLoader
{
    public const string DefaultFile = "/etc/carrier/seed.json";

    /// <param name="file">What <c>--config</c> named; null when it did not, then the environment's or, where it exists, the default file is read.</param>
    /// <param name="environment">The process's variables.</param>
    /// <param name="flags">The values given on the command line, by setting name.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="error">What is wrong and where, for the operator.</param>
    public static bool TryLoad(
        string? file, IDictionary environment, IReadOnlyDictionary<string, GivenValue> flags, [NotNullWhen(true)] out SeedConfig? config, out string error)
    {
        config = null;
        file ??= environment[ConfigSource.ConfigVariable] as string ?? (File.Exists(DefaultFile) ? DefaultFile : null);
        Dictionary<string, GivenValue> given = [];
        try
        {
            if (file is not null && !ConfigSource.TryFile(file, out given, out error))
            {
                return false;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = $"The configuration cannot be read: {e.Message}";
            return false;
        }

        if (!ConfigSource.TryEnvironment(environment, out Dictionary<string, GivenValue> variables, out error))
        {
            return false;
        }

        foreach ((string name, GivenValue value) in variables.Concat(flags))
        {
            given[name] = value;
        }

        return TryApply(given, out config, out error);
    }

    private static bool TryApply(Dictionary<string, GivenValue> given, [NotNullWhen(true)] out SeedConfig? config, out string error)
    {
        config = null;
        SeedConfig built = new();
        foreach (Setting setting in Setting.All.Where(setting => given.ContainsKey(setting.Name)))
        {
            GivenValue value = given[setting.Name];
            if (!setting.IsList && value.Values.Count != 1)
            {
                error = $"{value.Origin} takes one value.";
                return false;
            }

            foreach (string text in value.Values)
            {
                if (setting.Apply(built, text) is not { } next)
                {
                    error = $"{value.Origin} is '{text}'; it should be {setting.Form}. {setting.Description}";
                    return false;
                }

                built = next;
            }
        }

        (config, error) = (built, "");
        return true;
    }
}
