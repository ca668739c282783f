using Carrier.Benchmarks;
using Carrier.Benchmarks.Chain;
using Carrier.Benchmarks.Channels;
using Carrier.Benchmarks.Flood;
using Carrier.Benchmarks.Handshakes;
using Carrier.Benchmarks.Links;
using Carrier.Benchmarks.Many;
using Carrier.Benchmarks.Peers;
using Carrier.Benchmarks.Relay;
using Carrier.Benchmarks.Seeds;
using Carrier.Benchmarks.Soak;
using Carrier.Benchmarks.Yardsticks;

if (args is ["--help" or "-h"])
{
    Console.WriteLine(BenchOptions.Usage);
    return 0;
}

if (!BenchOptions.TryParse(args, out BenchOptions options, out string? error))
{
    Console.Error.WriteLine(error);
    Console.Error.WriteLine(BenchOptions.Usage);
    return 2;
}

switch (options.Command)
{
    case "session":
        await SessionCommand.RunAsync(options);
        return 0;
    case "handshakes":
        return await HandshakesCommand.RunAsync(options);
    case "handshakes client" when options.Arguments.Count == 1:
        await HandshakesClient.RunAsync(options);
        return 0;
    case "handshakes flood" when options.Arguments.Count == 2:
        InitiationFlood.Run(options);
        return 0;
    case "many":
        return await ManyCommand.RunAsync(options);
    case "many server":
        await ManyServer.RunAsync(options);
        return 0;
    case "many share" when options.Arguments.Count == 1:
        await BusySessions.RunAsync(options);
        return 0;
    case "many idle" when options.Arguments.Count == 1:
        await IdleCrowd.RunAsync(options);
        return 0;
    case "many streams" when options.Arguments.Count == 1:
        await StreamChurn.RunAsync(options);
        return 0;
    case "raw":
        await RawCommand.RunAsync(options);
        return 0;
    case "peer server":
        await PeerServer.RunAsync(options);
        return 0;
    case "peer client":
        await PeerClient.RunAsync(options);
        return 0;
    case "seed" when options.Arguments.Count is 1 or 2:
        await SeedCommand.RunAsync(options);
        return 0;
    case "flood" when options.Arguments.Count == 1:
        return await FloodCommand.RunAsync(options);
    case "relay" when options.Arguments.Count is 1 or 2:
        return await RelayCommand.RunAsync(options);
    case "soak":
        return SoakCommand.Run(10 * options.Bytes);
    case "headers":
        HeadersCommand.Run(options);
        return 0;
    case "link receive" when options.Arguments.Count == 1:
        await LinkReceiver.RunAsync(options);
        return 0;
    case "link send" when options.Arguments.Count == 2:
        await LinkSender.RunAsync(options);
        return 0;
    case "vouchers":
        await VouchersCommand.RunAsync(options);
        return 0;
    case "channels":
        return ScheduleCommand.Run(options);
    case "yardstick udp-echo":
        UdpPingPong.Serve();
        return 0;
    case "yardstick udp-ping":
        UdpPingPong.Run(options);
        return 0;
    case "yardstick udp-forward":
        UdpForwarder.Serve(options);
        return 0;
    case "yardstick cipher":
        CipherFloor.Run(options);
        return 0;
    case "yardstick gso-sink":
        GsoFloor.Serve(options);
        return 0;
    case "yardstick gso-send":
        GsoFloor.Run(options);
        return 0;
    default:
        Console.Error.WriteLine(BenchOptions.Usage);
        return 2;
}
