using System.Text;
using Carrier.Agent.Tunnels;
using Carrier.Agent.Tunnels.Web;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent.Tunnels;

/// <summary>A folder as a web site, spoken to in HTTP/1.1 as it comes out of a tunnel.</summary>
public sealed class FolderSiteTests : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _root;
    private readonly byte[] _big = TransferRig.RandomBytes(1, 700_000);
    private FolderSite? _site;

    public FolderSiteTests()
    {
        _root = _folder.File("web");
        Directory.CreateDirectory(Path.Combine(_root, "sub"));
        File.WriteAllText(Path.Combine(_root, "index.html"), "<h1>home</h1>");
        File.WriteAllBytes(Path.Combine(_root, "big.bin"), _big);
        File.WriteAllText(Path.Combine(_root, "sub", "a.css"), "a{}");
        File.WriteAllText(Path.Combine(_root, ".secret"), "secret");
        File.WriteAllText(_folder.File("outside.txt"), "outside");
        File.CreateSymbolicLink(Path.Combine(_root, "link.txt"), _folder.File("outside.txt"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "up"), _folder.File("."));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (_site is not null)
        {
            await _site.DisposeAsync();
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task Get_a_file_larger_than_any_buffer_arrives_whole()
    {
        (string head, byte[] body) = await AskAsync("GET /big.bin");
        Assert.StartsWith("HTTP/1.1 200", head, StringComparison.Ordinal);
        Assert.Equal(_big, body);
    }

    [Fact]
    public async Task Get_a_range_gives_those_bytes()
    {
        (string head, byte[] body) = await AskAsync("GET /big.bin", "Range: bytes=100000-300000");
        Assert.StartsWith("HTTP/1.1 206", head, StringComparison.Ordinal);
        Assert.Contains("Content-Range: bytes 100000-300000/700000", head, StringComparison.Ordinal);
        Assert.Equal(_big[100_000..300_001], body);
    }

    [Fact]
    public async Task Head_tells_the_length_and_gives_nothing()
    {
        (string head, byte[] body) = await AskAsync("HEAD /big.bin");
        Assert.Contains("Content-Length: 700000", head, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/octet-stream", head, StringComparison.Ordinal);
        Assert.Empty(body);
    }

    [Theory]
    [InlineData("/", "200", "text/html")]
    [InlineData("/sub/a.css", "200", "text/css")]
    [InlineData("/sub/", "404", null)]
    [InlineData("/.secret", "404", null)]
    [InlineData("/link.txt", "404", null)]
    [InlineData("/up/outside.txt", "404", null)]
    [InlineData("/../outside.txt", "404", null)]
    [InlineData("/%2e%2e/outside.txt", "404", null)]
    [InlineData("/..%2foutside.txt", "404", null)]
    [InlineData("/sub/..%5c..%5coutside.txt", "404", null)]
    [InlineData("/big.bin%00.html", "400", null)]
    public async Task Get_stays_beneath_the_root(string path, string status, string? type)
    {
        (string head, byte[] body) = await AskAsync("GET " + path);
        Assert.StartsWith("HTTP/1.1 " + status, head, StringComparison.Ordinal);
        Assert.DoesNotContain("outside", Encoding.ASCII.GetString(body), StringComparison.Ordinal);
        if (type is not null)
        {
            Assert.Contains("Content-Type: " + type, head, StringComparison.Ordinal);
            Assert.Contains("X-Content-Type-Options: nosniff", head, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Post_is_not_allowed() => Assert.StartsWith("HTTP/1.1 405", (await AskAsync("POST /index.html", "Content-Length: 0")).Head, StringComparison.Ordinal);

    [Fact]
    public async Task Listing_shows_names_but_no_links_and_no_hidden_ones()
    {
        File.Delete(Path.Combine(_root, "index.html"));
        string page = Encoding.UTF8.GetString((await AskAsync("GET /", lists: true)).Body);
        Assert.Contains("big.bin", page, StringComparison.Ordinal);
        Assert.DoesNotContain("link.txt", page, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", page, StringComparison.Ordinal);
    }

    private async Task<(string Head, byte[] Body)> AskAsync(string line, string header = "Accept: */*", bool lists = false)
    {
        _site ??= FolderSite.Start(_root, lists);
        await using LocalEnd connection = _site.Connect();
        await connection.SendAsync(Encoding.ASCII.GetBytes($"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n"), Cancel);
        var answer = new MemoryStream();
        byte[] buffer = new byte[20_000];
        while (true)
        {
            await connection.WaitAsync(Cancel);
            int read = await connection.ReceiveAsync(buffer, Cancel);
            if (read == 0)
            {
                break;
            }

            answer.Write(buffer, 0, read);
        }

        byte[] all = answer.ToArray();
        int end = all.AsSpan().IndexOf("\r\n\r\n"u8);
        return (Encoding.ASCII.GetString(all, 0, end), all[(end + 4)..]);
    }
}
