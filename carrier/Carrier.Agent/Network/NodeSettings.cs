using Carrier.Core.Identity;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Network;

/// <summary>What a node is started with.</summary>
/// <param name="Keys">Device keys and delegation; the node's from now on.</param>
/// <param name="Seeds"><c>key@host:port</c>.</param>
/// <param name="Listen"><c>address:port</c>, or null for any address and a free port.</param>
/// <param name="PortMapping">Whether to ask the router for a forwarded port.</param>
/// <param name="MulticastDns">Whether to find devices on the same link, and be found there.</param>
internal sealed record NodeSettings(
    KeystoreContents Keys, IReadOnlyList<string> Seeds, string? Listen, bool PortMapping, bool MulticastDns, string StateFolder, ILoggerFactory LoggerFactory);
