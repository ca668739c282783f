using System.Globalization;
using System.Text;
using Carrier.Agent.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.Tunnels;

namespace Carrier.Agent.Commands;

/// <summary>Replies as people read them. Whatever a peer had a hand in goes through <see cref="SafeText"/>.</summary>
internal static class ReplyText
{
    private static readonly string[] Units = ["bytes", "KB", "MB", "GB", "TB"];

    public static string Of(ControlReply reply) => reply switch
    {
        NoteReply note => SafeText.Of(note.Message),
        ReadyReply ready => $"READY {ready.TrustId}",
        IdentityReply identity => Of(identity),
        StatusReply status => Of(status.Status),
        PeerReply { Peer: var peer } => Invariant(
            $"{peer.TrustId}  {SafeText.Of(peer.Protocol)}  {Of(peer.Path)}  in {Size(peer.BytesIn)}  out {Size(peer.BytesOut)}"),
        DeviceReply { Device: var device } => Of(device),
        PingReply ping => Of(ping),
        PingSummaryReply sum => Invariant(
            $"{sum.Received} of {sum.Sent} answered; round trip {sum.MinMs:0.0} / {sum.AverageMs:0.0} / {sum.MaxMs:0.0} ms (least, mean, most)"),
        SentReply sent => Of(sent),
        AskReply ask => Invariant(
            $"{ask.Peer} wants to send '{SafeText.Of(ask.Name)}' ({ask.Files} files, {(ask.Bytes is { } bytes ? Size(bytes) : "size unknown")})."),
        ReceivedReply received => Of(received),
        TunnelReply { Tunnel: var tunnel } => Of(tunnel),
        OpenedReply opened => Invariant($"connected to {SafeText.Of(opened.Service)} of {opened.Peer}"),
        DemoReply demo => Of(demo),
        ChainReply chain => Invariant($"{chain.Network} at height {chain.Height} ({chain.Checked}; {chain.Agreeing} of {chain.Nodes} nodes agree)"),
        BalanceReply balance => Of(balance),
        PaymentReply payment => Invariant($"{payment.TransactionId}  {payment.Result}, taken by {payment.NodesTook} nodes"),
        HistoryReply entry => Invariant(
            $"{entry.TransactionId}  {entry.Kind} {entry.Amount}  {entry.State}{(entry.Height is { } height ? Invariant($" at {height}, {entry.Confirmations} deep") : "")}  {SafeText.Of(entry.To)} {SafeText.Of(entry.Note)}"),
        ProofReply proof => Invariant(
            $"{proof.TransactionId} is in block {proof.Height} ({proof.Standing}{(proof.Checked is null ? "" : Invariant($", {proof.Checked}"))}){(proof.FileMatches == true ? ", and it anchors this file" : "")}"),
        ChannelReply { Channel: var channel } => Of(channel),
        PaidReply paid => Invariant($"paid {paid.Count} times {paid.Amount} ELA, acknowledged, in {paid.Seconds:0.0} s; {paid.Paid} ELA in all, {paid.Left} ELA left"),
        ExportReply export => Invariant($"the close of {export.Channel} pays {export.Amount} ELA; broadcast it from block {export.CloseBy} on, before {export.LockHeight}"),
        AcceptanceReply terms => Of(terms),
        RegistrationReply registration => Of(registration),
        NameReply name => Of(name),
        EndReply end => SafeText.Of(end.Message ?? string.Empty),
        _ => string.Empty,
    };

    public static string Size(long bytes)
    {
        double size = bytes;
        int unit = 0;
        for (; size >= 1000 && unit < Units.Length - 1; unit++)
        {
            size /= 1000;
        }

        return unit == 0 ? Invariant($"{bytes} bytes") : Invariant($"{size:0.0} {Units[unit]}");
    }

    private static string Of(BalanceReply balance)
    {
        var text = new StringBuilder(Invariant($"confirmed  {balance.Confirmed} ELA"));
        foreach ((string name, string amount) in new[] { ("pending", balance.Pending), ("locked", balance.Locked), ("disputed", balance.Disputed) })
        {
            if (amount != "0")
            {
                text.AppendLine().Append(Invariant($"{name,-9}  {amount} ELA"));
            }
        }

        return text.ToString();
    }

    private static string Of(ChannelReport channel)
    {
        string depth = channel.SpenderConfirmations is { } spent ? Invariant($", {(spent == 0 ? "its end waits for a block" : Invariant($"ended {spent} blocks deep"))}")
            : channel.Confirmations is { } funded ? Invariant($", funded {funded} blocks deep")
            : string.Empty;
        return Invariant($"{channel.Channel}  {channel.Role}, {channel.State}{(channel.Restored ? " (restored: only closed any more)" : string.Empty)}{depth}")
            + Invariant($"\n    with {channel.Peer}, {(channel.Connected ? "connected" : "not connected")}")
            + Invariant($"\n    paid {channel.Paid} of {channel.Capacity} ELA in {channel.Vouchers} payments, {channel.Acknowledged} acknowledged; locked until block {channel.LockHeight}")
            + (channel.Trouble is null ? string.Empty : "\n    " + SafeText.Of(channel.Trouble));
    }

    private static string Of(AcceptanceReply terms) => terms.From.Count == 0
        ? "No channels are taken. To take some: carrier channel accept --from TRUSTID, or --from any"
        : Invariant(
            $"channels are taken from {string.Join(", ", terms.From)}: at least {terms.MinDeposit} ELA, {terms.Confirmations} confirmations, {terms.Window} ELA of credit, closed {(terms.AlwaysOn ? 30 : 720)} blocks before the lock height{(terms.CloseAt is null ? string.Empty : Invariant($" or at {terms.CloseAt} ELA"))}");

    private static string Of(RegistrationReply registration)
    {
        string scanned = registration.ScannedTo is { } height ? Invariant($"; looked through to block {height}") : "";
        return !registration.Registered
            ? Invariant($"{registration.TrustId} is not registered{scanned}")
            : Invariant($"{registration.TrustId} is registered at {registration.Height} ({registration.Checked ?? "ProofOfWorkOnly"}), root {registration.DelegationRoot}")
                + (registration.SerialFloor > 0 ? Invariant($", delegations below serial {registration.SerialFloor} revoked") : "") + scanned;
    }

    private static string Of(NameReply name) => name.State switch
    {
        "Owned" => Invariant($"{name.Name} is {name.Owner}, since block {name.RegisteredAt}, until block {name.Expiry} ({name.Checked ?? "ProofOfWorkOnly"})"),
        "Committed" => Invariant($"{name.Name} is committed to; reveal it from block {name.RevealFrom} on: carrier name reveal {name.Name}"),
        "Secret" => Invariant($"{name.Name}: the commitment is not on the chain yet; if it does not come, run carrier name commit {name.Name} again"),
        _ => Invariant($"{name.Name} is free; looked through to block {name.ScannedTo}"),
    };

    private static string Of(IdentityReply identity)
    {
        var text = new StringBuilder();
        text.AppendLine(Invariant($"TrustID  {identity.TrustId}"));
        text.AppendLine(Invariant($"ELA      {identity.Address}"));
        text.Append(Invariant($"home     {identity.Home}"));
        if (identity.Mnemonic is not null)
        {
            text.AppendLine().AppendLine();
            text.AppendLine("These words are your identity and your wallet. Write them down; they are shown this once:");
            text.AppendLine().Append("    ").AppendLine(identity.Mnemonic).AppendLine();
            text.Append("Next: carrier up --seed key@host:port");
        }

        return text.ToString();
    }

    private static string Of(StatusReport status)
    {
        var text = new StringBuilder();
        text.AppendLine(Invariant($"TrustID   {status.TrustId}"));
        text.AppendLine(Invariant($"state     {(status.Ready ? "ready" : "joining")}, {status.Role}"));
        text.AppendLine(Invariant($"bound     {string.Join(", ", status.LocalEndpoints)}"));
        text.AppendLine(Invariant($"seen as   {string.Join(", ", status.ReflexiveEndpoints)} (NAT mapping: {status.NatMapping})"));
        text.AppendLine(Invariant($"homes     {string.Join(", ", status.Homes)}"));
        text.Append(Invariant($"contacts  {status.TableSize}, sessions {status.Sessions}, dropped {status.Drops}"));
        return text.ToString();
    }

    private static string Of(PingReply ping)
    {
        string dialled = ping.Sequence == 1 ? Invariant($" (dialled in {ping.DialMs:0} ms)") : string.Empty;
        return Invariant($"{ping.Sequence}: {ping.RttMs:0.0} ms, {ping.Path} by {ping.Address}{dialled}");
    }

    private static string Of(DeviceReport device)
    {
        var text = new StringBuilder(Invariant($"device     {device.Device}, serial {device.Serial}"));
        foreach (string candidate in device.Candidates)
        {
            text.AppendLine().Append(Invariant($"address    {candidate}"));
        }

        foreach (string home in device.Homes)
        {
            text.AppendLine().Append(Invariant($"home       {home}"));
        }

        return device.Expires is { } expires ? text.AppendLine().Append(Invariant($"until      {expires:u}")).ToString() : text.ToString();
    }

    private static string Of(PathReport path) => Invariant($"{path.Kind} {path.Address} {path.RttMs:0.0} ms");

    private static string Of(SentReply sent)
    {
        string resumed = sent.ResumedBytes > 0 ? Invariant($", {Size(sent.ResumedBytes)} of it were there already") : string.Empty;
        return Invariant($"sent {Size(sent.Bytes)}{resumed}, {Size((long)(sent.MBps * 1e6))}/s, {sent.Path} by {sent.Address}; verified, SHA-256 {sent.Sha256}");
    }

    private static string Of(ReceivedReply received) => received.Path is not null
        ? Invariant($"received {SafeText.Of(received.Path)} from {received.Peer}")
        : Invariant($"not received from {received.Peer}: {SafeText.Of(received.Name ?? "an offer")} ({received.Failure})")
            + (received.Failure == "NotAllowed" ? Invariant($". To accept: carrier allow {received.Peer}") : string.Empty);

    private static string Of(TunnelReport tunnel)
    {
        string to = tunnel.Peer is not null ? Invariant($" to {SafeText.Of(tunnel.Service ?? string.Empty)} of {tunnel.Peer}")
            : tunnel.Service is null ? " to names under .carrier"
            : Invariant($" for {Who(tunnel.Allow ?? [])}");
        string state = tunnel.Failure is not null ? Invariant($"  NOT RUNNING: {SafeText.Of(tunnel.Failure)}")
            : tunnel.Total + tunnel.Failed == 0 ? string.Empty
            : Invariant($"  {tunnel.Open} open of {tunnel.Total}, {tunnel.Failed} failed, in {Size(tunnel.BytesIn)}, out {Size(tunnel.BytesOut)}");
        return Invariant($"{tunnel.Id}  {tunnel.Protocol} {SafeText.Of(tunnel.Local)}{to}{(tunnel.Kept ? ", kept" : string.Empty)}{state}");
    }

    private static string Who(IReadOnlyList<string> allow) => allow.Contains(ServiceDefinition.Anybody) ? "anybody"
        : allow.Count == 0 ? "your own devices only (--allow TRUSTID or --allow any lets others in)"
        : Invariant($"your own devices and {string.Join(", ", allow)}");

    private static string Of(DemoReply demo)
    {
        var text = new StringBuilder();
        text.AppendLine(Invariant($"{demo.Sender} sent {Size(demo.Bytes)} to {demo.Receiver}"));
        text.AppendLine(Invariant($"path    {demo.Path} by {demo.Address}"));
        text.AppendLine(Invariant($"rate    {demo.MBps:0.0} MB/s, encrypted, written to disk and verified"));
        text.AppendLine(Invariant($"SHA-256 {demo.Sha256} {(demo.Sha256Equal ? "equal on both sides" : "DIFFERS")}"));
        text.Append(Invariant($"total   {demo.TotalSeconds:0.0} s"));
        return text.ToString();
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
