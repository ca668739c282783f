using System.Globalization;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Services;

/// <summary>The field's own servers on a site's loopback — sshd, nginx, iperf3 — with keys and configuration in a folder of their own.</summary>
internal sealed class FieldTools : IAsyncDisposable
{
    public const int SshPort = 2022;
    public const int WebPort = 2080;
    public const int IperfPort = 5201;

    private static readonly string[] AdminFolders = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(10);

    private readonly List<LabProcess> _processes = [];

    private FieldTools(string folder) => Folder = folder;

    /// <summary>Each program and the Debian package that has it.</summary>
    public static IReadOnlyDictionary<string, string> Needed { get; } = new Dictionary<string, string>
    {
        ["sshd"] = "openssh-server",
        ["ssh"] = "openssh-client",
        ["iperf3"] = "iperf3",
        ["nginx"] = "nginx-light",
        ["curl"] = "curl",
    };

    public string Folder { get; }

    public string WebRoot => Path.Combine(Folder, "web");

    /// <summary>Options that make ssh and scp ask nobody and remember nothing.</summary>
    public IEnumerable<string> SshOptions =>
    [
        "-q", "-F", "none", "-i", Path.Combine(Folder, "id"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    ];

    /// <summary>Where a program is; null when it is not installed.</summary>
    public static string? Find(string program) =>
        AdminFolders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists) ?? (Tool.Exists(program) ? program : null);

    public static async Task<FieldTools> StartAsync(string netns, string folder, CancellationToken cancellation)
    {
        var tools = new FieldTools(Directory.CreateDirectory(folder).FullName);
        try
        {
            await tools.WriteAsync(cancellation);
            tools.Start(netns, "sshd", "-D", "-e", "-f", Path.Combine(folder, "sshd_config"));
            tools.Start(netns, "nginx", "-p", folder, "-c", Path.Combine(folder, "nginx.conf"), "-e", Path.Combine(folder, "nginx.err"));
            tools.Start(netns, "iperf3", "-s", "-B", "127.0.0.1", "-p", IperfPort.ToString(CultureInfo.InvariantCulture));
            foreach (int port in (int[])[SshPort, WebPort, IperfPort])
            {
                await tools.WaitUntilOpenAsync(netns, port, cancellation);
            }

            return tools;
        }
        catch
        {
            await tools.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (LabProcess process in _processes)
        {
            await process.DisposeAsync();
        }
    }

    private async Task WriteAsync(CancellationToken cancellation)
    {
        Directory.CreateDirectory("/run/sshd");
        Directory.CreateDirectory(WebRoot);
        foreach (string key in (string[])["host", "id"])
        {
            string path = Path.Combine(Folder, key);
            File.Delete(path);
            await Tool.MustRunAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path], cancellation: cancellation);
        }

        await File.WriteAllTextAsync(Path.Combine(Folder, "sshd_config"), string.Create(CultureInfo.InvariantCulture, $"""
            ListenAddress 127.0.0.1:{SshPort}
            HostKey {Folder}/host
            AuthorizedKeysFile {Folder}/id.pub
            PermitRootLogin yes
            StrictModes no
            UsePAM no
            PidFile none
            Subsystem sftp internal-sftp

            """), cancellation);
        // Everything nginx writes stays in the folder, and it runs as whoever runs the lab.
        await File.WriteAllTextAsync(Path.Combine(Folder, "nginx.conf"), string.Create(CultureInfo.InvariantCulture, $$"""
            daemon off;
            user root;
            worker_processes 1;
            pid {{Folder}}/nginx.pid;
            events { worker_connections 2048; }
            http {
                access_log off;
                client_body_temp_path {{Folder}}/t1; proxy_temp_path {{Folder}}/t2; fastcgi_temp_path {{Folder}}/t3;
                uwsgi_temp_path {{Folder}}/t4; scgi_temp_path {{Folder}}/t5;
                server { listen 127.0.0.1:{{WebPort}} backlog=1024; root {{WebRoot}}; }
            }

            """), cancellation);
    }

    private void Start(string netns, string program, params string[] arguments) =>
        _processes.Add(LabProcess.Start(netns, Find(program)!, arguments, Path.Combine(Folder, program + ".log")));

    private async Task WaitUntilOpenAsync(string netns, int port, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartDeadline);
        while (!await LoopbackSockets.AcceptsAsync(netns, port, limit.Token))
        {
            if (limit.IsCancellationRequested)
            {
                throw new LabException($"nothing listens on port {port} of {netns}: see the logs in {Folder}");
            }

            await Task.Delay(50, cancellation);
        }
    }
}
