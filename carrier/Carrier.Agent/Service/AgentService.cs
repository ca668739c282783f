using Carrier.Agent.Channels;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;
using Carrier.Core.Identity;

namespace Carrier.Agent.Service;

/// <summary>Does what commands ask, with the node of this process.</summary>
internal sealed class AgentService(INetwork network, Inbox inbox, Tunnelling tunnels, Channelling? channels, TimeProvider time) : IAgent
{
    public async Task RunAsync(ControlRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        try
        {
            switch (request)
            {
                case StatusRequest:
                    StatusReport status = await network.GetStatusAsync(cancellationToken).ConfigureAwait(false);
                    await conversation.SayAsync(new StatusReply(status), cancellationToken).ConfigureAwait(false);
                    break;
                case PeersRequest:
                    foreach (PeerReport peer in await network.GetPeersAsync(cancellationToken).ConfigureAwait(false))
                    {
                        await conversation.SayAsync(new PeerReply(peer), cancellationToken).ConfigureAwait(false);
                    }

                    break;
                case ResolveRequest resolve:
                    foreach (DeviceReport device in await network.ResolveAsync(Peer(resolve.Peer), cancellationToken).ConfigureAwait(false))
                    {
                        await conversation.SayAsync(new DeviceReply(device), cancellationToken).ConfigureAwait(false);
                    }

                    break;
                case PingRequest ping:
                    await new Pinging(network, time).RunAsync(Peer(ping.Peer), ping.Count, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case SendRequest send:
                    await new Sending(network, time).RunAsync(Peer(send.Peer), send, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case ReceiveRequest receive:
                    await inbox.AttendAsync(receive, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case ServeRequest serve:
                    await tunnels.ServeAsync(serve, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case ForwardRequest forward:
                    await tunnels.ForwardAsync(forward, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case SocksRequest socks:
                    await tunnels.SocksAsync(socks, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case PipeRequest pipe:
                    await tunnels.PipeAsync(Peer(pipe.Peer), Service(pipe.Service), conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case ServicesRequest:
                    await tunnels.ListAsync(conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case StopServiceRequest stop:
                    await tunnels.StopAsync(stop.Id, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                case OpenChannelRequest or ChannelsRequest or PayRequest or CloseChannelRequest or RefundRequest or ExportCloseRequest:
                    await (channels ?? throw NoChannels()).RunAsync(request, conversation, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    throw new AgentException(ExitCode.Failure, "The running agent does not know this command: is it an older version?");
            }
        }
        catch (NetworkException e)
        {
            throw new AgentException(CodeOf(e.Failure), e.Message, e);
        }
    }

    private static AgentException NoChannels() => new(
        ExitCode.Usage, "The running agent has no channels on: stop it and start it once with a chain, carrier up --network main --node URL --node URL. It then remembers.");

    private static TrustId Peer(string text) => TrustId.TryParse(text, out TrustId id)
        ? id
        : throw new AgentException(ExitCode.Usage, "That is no TrustID: give 0x and forty hex digits, or an address that begins with E.");

    private static ServiceName Service(string text) => ServiceName.TryParse(text, out ServiceName name)
        ? name
        : throw new AgentException(ExitCode.Usage, $"'{text}' is no name of a service: letters, digits and - only, 63 at most.");

    private static ExitCode CodeOf(NetworkFailure failure) => failure switch
    {
        NetworkFailure.NotFound or NetworkFailure.Unreachable => ExitCode.Unreachable,
        NetworkFailure.Refused => ExitCode.Refused,
        _ => ExitCode.Interrupted,
    };
}
