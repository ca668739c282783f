using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Tunnels;

/// <summary>Who used what: one JSON line for each connection or flow that ended or was refused, never a payload. Rotated by size.</summary>
/// <remarks><c>access.jsonl</c> is the newest, <c>access.1.jsonl</c> … <c>access.4.jsonl</c> are older. Writing never holds a connection up: lines that find no room are counted.</remarks>
internal sealed partial class AccessLog : IAsyncDisposable
{
    /// <summary>A file that has reached this is put aside.</summary>
    public const int MaxFileBytes = 8 << 20;

    /// <summary>Files put aside that are kept.</summary>
    public const int KeptFiles = 4;

    /// <summary>Lines that wait for a slow disk.</summary>
    private const int MaxWaiting = 4_096;

    /// <summary>Refusals written a second: strangers must not be able to push everybody else's lines out.</summary>
    private const int RefusalsPerSecond = 10;

    private readonly string _folder;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<AccessEntry> _entries = Channel.CreateBounded<AccessEntry>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private readonly ByteBudget _refusals;
    private readonly int _maxFileBytes;
    private readonly Task _writing;
    private long _lost;

    public AccessLog(string folder, TimeProvider time, ILogger logger, int maxFileBytes = MaxFileBytes)
    {
        _folder = folder;
        _time = time;
        _logger = logger;
        _maxFileBytes = maxFileBytes;
        _refusals = new ByteBudget(RefusalsPerSecond, time);
        _writing = WriteAsync();
    }

    public string Current => Path.Combine(_folder, "access.jsonl");

    /// <summary>Writes a line, soon.</summary>
    public void Write(AccessEntry entry)
    {
        if (!_entries.Writer.TryWrite(entry with { Time = _time.GetUtcNow() }))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>Writes a line about somebody who was refused, unless there are too many of those. Says whether it did.</summary>
    public bool WriteRefusal(AccessEntry entry)
    {
        if (!_refusals.TrySpend(1))
        {
            Interlocked.Increment(ref _lost);
            return false;
        }

        Write(entry);
        return true;
    }

    /// <summary>Writes what waits and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await _writing.ConfigureAwait(false);
    }

    private string Older(int number) => Path.Combine(_folder, FormattableString.Invariant($"access.{number}.jsonl"));

    private async Task WriteAsync()
    {
        FileStream? file = null;
        while (await _entries.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            try
            {
                file ??= Open();
                while (_entries.Reader.TryRead(out AccessEntry? entry))
                {
                    long lost = Interlocked.Exchange(ref _lost, 0);
                    byte[] line = JsonSerializer.SerializeToUtf8Bytes(entry with { Lost = lost == 0 ? null : lost }, AccessJson.Default.AccessEntry);
                    await file.WriteAsync((byte[])[.. line, (byte)'\n']).ConfigureAwait(false);
                    if (file.Position >= _maxFileBytes)
                    {
                        FileStream full = file;
                        file = null;
                        await full.DisposeAsync().ConfigureAwait(false);
                        Rotate();
                        file = Open();
                    }
                }

                await file.FlushAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A full disk must not stop tunnels; the next line tries again.
                LogWriteFailed(_logger, e.Message);
                Interlocked.Increment(ref _lost);
            }
        }

        if (file is not null)
        {
            await file.DisposeAsync().ConfigureAwait(false);
        }
    }

    private FileStream Open()
    {
        Directory.CreateDirectory(_folder);
        var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.Read | FileShare.Delete };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(Current, options);
    }

    private void Rotate()
    {
        for (int number = KeptFiles; number > 0; number--)
        {
            string newer = number == 1 ? Current : Older(number - 1);
            if (File.Exists(newer))
            {
                File.Move(newer, Older(number), overwrite: true);
            }
        }
    }

    [LoggerMessage(20, LogLevel.Warning, "The access log cannot be written: {Reason}")]
    private static partial void LogWriteFailed(ILogger logger, string reason);
}

/// <summary>One line of the access log.</summary>
/// <param name="Direction"><c>in</c>: a peer used a service here. <c>out</c>: something here used a peer's.</param>
/// <param name="Protocol"><c>tcp</c>, <c>udp</c> or <c>http</c>.</param>
/// <param name="Via">Of <c>out</c>: <c>forward</c>, <c>socks</c> or <c>pipe</c>.</param>
/// <param name="BytesIn">Bytes that came over the network.</param>
/// <param name="End">A <see cref="TunnelEnd"/>.</param>
internal sealed record AccessEntry(
    string Direction, string Peer, string Service, string? Protocol, string? Via, double Milliseconds, long BytesIn, long BytesOut, TunnelEnd End)
{
    /// <summary>When it ended; set by the log.</summary>
    [JsonPropertyOrder(-1)]
    public DateTimeOffset Time { get; init; }

    /// <summary>Datagrams that found no room.</summary>
    public long? Dropped { get; init; }

    /// <summary>Lines before this one that were not written; set by the log.</summary>
    public long? Lost { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(AccessEntry))]
internal sealed partial class AccessJson : JsonSerializerContext;
