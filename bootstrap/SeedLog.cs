using Carrier.Core;
using Carrier.Seed.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Carrier.Seed;

/// <summary>What a seed logs, on standard error: standard output has the READY line alone. Ids are stable; nothing names a key of others or a payload.</summary>
internal static partial class SeedLog
{
    public static ILoggerFactory Create(LogFormat format, LogLevel least) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(least);
        builder.AddFilter("Microsoft", level => level >= LogLevel.Warning && level >= least);
        if (format == LogFormat.Json)
        {
            builder.AddJsonConsole(options => (options.UseUtcTimestamp, options.TimestampFormat) = (true, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'"));
        }
        else
        {
            builder.AddSimpleConsole(options => (options.SingleLine, options.UseUtcTimestamp, options.TimestampFormat) = (true, true, "yyyy-MM-dd'T'HH:mm:ss.fff'Z' "));
        }

        builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
    });

    [LoggerMessage(300, LogLevel.Information, "Serving as {Address}; health and metrics at {Http}.")]
    public static partial void Serving(ILogger logger, SeedAddress address, string http);

    [LoggerMessage(301, LogLevel.Warning, "The advertised address {Address} is {Scope}: nobody outside that network reaches this seed. Set advertise to its public address.")]
    public static partial void NotPublic(ILogger logger, Endpoint address, AddressScope scope);

    [LoggerMessage(302, LogLevel.Information, "Told to stop: draining for at most {Drain}.")]
    public static partial void Draining(ILogger logger, TimeSpan drain);

    [LoggerMessage(303, LogLevel.Information, "Drained; {RelayedBytes} bytes were relayed in this run.")]
    public static partial void Drained(ILogger logger, long relayedBytes);

    [LoggerMessage(304, LogLevel.Critical, "The node stopped by itself; ending.")]
    public static partial void NodeStopped(ILogger logger);

    [LoggerMessage(305, LogLevel.Critical, "Cannot serve: {Reason}")]
    public static partial void CannotServe(ILogger logger, string reason);
}
