using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Carrier.Chain.Access;

/// <summary>JSON-RPC 2.0 over HTTP POST to one node, which may be hostile: every answer is bounded in bytes, time and depth.</summary>
public sealed class JsonRpcClient : IDisposable
{
    /// <summary>Longest answer read: a block of eight million bytes in hex, and some.</summary>
    public const int MaxResponseBytes = 20 << 20;

    /// <summary>Calls in one batch.</summary>
    public const int MaxBatch = 100;

    private const int MaxDepth = 16;
    private const int ReadBytes = 1 << 16;

    private readonly HttpClient _http;
    private readonly NodeEndpoint _endpoint;
    private readonly RpcPatience _patience;
    private int _nextId;

    public JsonRpcClient(NodeEndpoint endpoint, RpcPatience? patience = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _endpoint = endpoint;
        _patience = patience ?? RpcPatience.Standard;
        // No redirect: it would carry the password elsewhere, or ask a service of the local network in our name.
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = _patience.Connect, MaxResponseHeadersLength = 16 };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        if (endpoint.User.Length > 0 || endpoint.Password.Length > 0)
        {
            string credentials = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{endpoint.User}:{endpoint.Password}"));
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", credentials);
        }
    }

    /// <summary>Asks one question. Good answers hold the <c>result</c>, which may be JSON null.</summary>
    public async Task<NodeAnswer<JsonElement>> CallAsync(RpcCall call, CancellationToken cancellationToken)
    {
        int id = Interlocked.Increment(ref _nextId);
        NodeAnswer<JsonElement> reply = await PostAsync(writer => call.Write(writer, id), cancellationToken).ConfigureAwait(false);
        return reply.IsGood ? Result(reply.Value, id) : reply;
    }

    /// <summary>Asks up to <see cref="MaxBatch"/> questions at once; the answers stand in the order of the questions.</summary>
    public async Task<IReadOnlyList<NodeAnswer<JsonElement>>> CallAsync(IReadOnlyList<RpcCall> batch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Count, MaxBatch);
        if (batch.Count == 0)
        {
            return [];
        }

        int first = Interlocked.Add(ref _nextId, batch.Count) - batch.Count + 1;
        NodeAnswer<JsonElement> reply = await PostAsync(
            writer =>
            {
                writer.WriteStartArray();
                for (int i = 0; i < batch.Count; i++)
                {
                    batch[i].Write(writer, first + i);
                }

                writer.WriteEndArray();
            },
            cancellationToken).ConfigureAwait(false);
        if (reply.IsGood && reply.Value.ValueKind != JsonValueKind.Array)
        {
            reply = new(default, NodeFault.Malformed, 0, "A batch was not answered by an array.");
        }

        if (!reply.IsGood)
        {
            return [.. Enumerable.Repeat(reply, batch.Count)];
        }

        // Any order is allowed (JSON-RPC 2.0 §6): the id says which is whose.
        var answers = new Dictionary<int, NodeAnswer<JsonElement>>();
        foreach (JsonElement item in reply.Value.EnumerateArray().Take(MaxBatch))
        {
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number))
            {
                _ = answers.TryAdd(number, Result(item, number));
            }
        }

        return [.. Enumerable.Range(first, batch.Count).Select(id => answers.TryGetValue(id, out NodeAnswer<JsonElement> answer)
            ? answer
            : new NodeAnswer<JsonElement>(default, NodeFault.Malformed, 0, "A call of a batch was not answered."))];
    }

    public void Dispose() => _http.Dispose();

    private static NodeAnswer<JsonElement> Result(JsonElement reply, int id)
    {
        if (reply.ValueKind != JsonValueKind.Object || !reply.TryGetProperty("id", out JsonElement echoed)
            || echoed.ValueKind != JsonValueKind.Number || !echoed.TryGetInt32(out int number) || number != id)
        {
            return new(default, NodeFault.Malformed, 0, "The answer is to another question.");
        }

        if (reply.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object)
        {
            int code = error.TryGetProperty("code", out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int given) ? given : 0;
            string message = error.TryGetProperty("message", out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "";
            return new(default, NodeFault.Error, code, message);
        }

        return reply.TryGetProperty("result", out JsonElement result) ? new(result) : new(default, NodeFault.Malformed, 0, "There is neither result nor error.");
    }

    private async Task<NodeAnswer<JsonElement>> PostAsync(Action<Utf8JsonWriter> write, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        using (var writer = new Utf8JsonWriter(body))
        {
            write(writer);
        }

        for (int attempt = 0; ; attempt++)
        {
            NodeAnswer<JsonElement> answer = await PostOnceAsync(body.ToArray(), cancellationToken).ConfigureAwait(false);
            if (answer.Fault is not (NodeFault.Unreachable or NodeFault.TimedOut) || attempt >= _patience.Retries)
            {
                return answer;
            }

            await Task.Delay(_patience.FirstPause * (1 << attempt), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<NodeAnswer<JsonElement>> PostOnceAsync(byte[] body, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_patience.WholeAnswer);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint.Address);
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                return new(default, NodeFault.Http, (int)response.StatusCode, $"HTTP status {(int)response.StatusCode}.");
            }

            byte[]? bytes = await ReadAsync(response.Content, limit.Token).ConfigureAwait(false);
            if (bytes is null)
            {
                return new(default, NodeFault.TooLarge, 0, $"More than {MaxResponseBytes} bytes.");
            }

            using JsonDocument document = ForeignJson.Parse(bytes, MaxDepth);
            return new(document.RootElement.Clone());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new(default, NodeFault.TimedOut, 0, $"No whole answer within {_patience.WholeAnswer.TotalSeconds:0.#} s.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new(default, NodeFault.Unreachable, 0, e.Message);
        }
        catch (JsonException)
        {
            return new(default, NodeFault.Malformed, 0, "The answer is no JSON.");
        }
    }

    /// <summary>The whole body, or null when it is too long, whatever length it declares.</summary>
    private static async Task<byte[]?> ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using Stream stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[ReadBytes];
        while (await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and int read)
        {
            if (bytes.Length + read > MaxResponseBytes)
            {
                return null;
            }

            bytes.Write(buffer, 0, read);
        }

        return bytes.ToArray();
    }
}

/// <summary>How long a node may take, and how often it is asked again.</summary>
/// <param name="Connect">To connect.</param>
/// <param name="WholeAnswer">From the question to the answer's last byte.</param>
/// <param name="Retries">Further tries when there was no answer; every call here may be repeated safely.</param>
/// <param name="FirstPause">Before the first of them; doubled for each next.</param>
public sealed record RpcPatience(TimeSpan Connect, TimeSpan WholeAnswer, int Retries, TimeSpan FirstPause)
{
    public static readonly RpcPatience Standard = new(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), 2, TimeSpan.FromMilliseconds(250));
}
