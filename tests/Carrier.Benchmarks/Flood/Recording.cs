using Carrier.Benchmarks.Seeds;
using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Streams;
using Carrier.Core.Wire;
using Carrier.Nat;
using Carrier.Node.Homes;

namespace Carrier.Benchmarks.Flood;

/// <summary>True traffic of three devices with a seed and with each other, as it left them: joining, registering, publishing, a dial, a session, leaving.</summary>
internal sealed class Recording : IDisposable
{
    public const string Protocol = "flood/1";

    /// <summary>Datagrams kept; a session sends more of the same.</summary>
    private const int MaxKept = 4_096;

    private const int StreamBytes = 200_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly byte[] _buffer = new byte[DrivenDevice.MaxDatagramBytes];
    private readonly List<Recorded> _all = [];
    private readonly HomeContact _seed;

    private Recording(HomeContact seed)
    {
        _seed = seed;
        (Dialler, Listener, Returner) = (NewDevice(seed), NewDevice(seed), NewDevice(seed));
    }

    /// <summary>Dialled once.</summary>
    public DrivenDevice Dialler { get; }

    /// <summary>Was dialled once.</summary>
    public DrivenDevice Listener { get; }

    /// <summary>Registered, said that it leaves, and registered again: a replayed farewell would end its registration.</summary>
    public DrivenDevice Returner { get; }

    public IReadOnlyList<Recorded> All => _all;

    /// <summary>One of every datagram that a seed may meet, to make mutants of.</summary>
    public IReadOnlyList<byte[]> Models { get; private set; } = [];

    /// <exception cref="InvalidOperationException">The devices did not get so far.</exception>
    public static Recording Make(HomeContact seed)
    {
        Recording recording = new(seed);
        recording.Record();
        return recording;
    }

    /// <summary>Lets every device do what is due.</summary>
    public bool Turn() => Dialler.Turn(_buffer) | Listener.Turn(_buffer) | Returner.Turn(_buffer);

    public void Dispose()
    {
        Dialler.Dispose();
        Listener.Dispose();
        Returner.Dispose();
    }

    private DrivenDevice NewDevice(HomeContact seed)
    {
        DrivenDevice device = new(seed);
        device.Tap = (to, datagram) =>
        {
            if (_all.Count < MaxKept)
            {
                _all.Add(new Recorded(device, to, datagram.ToArray()));
            }

            return true;
        };
        return device;
    }

    private void Record()
    {
        Listener.Machine.Listen(Protocol);
        Wait("ready", () => Dialler.Machine.IsReady && Listener.Machine.IsReady && Returner.Machine.IsReady);
        _ = Dialler.Machine.Dial(MonotonicClock.Now, Listener.TrustId, Protocol);
        Wait("a session", () => Dialler.Dialed is not null && Listener.IncomingCount == 1);
        SessionMachine session = Dialler.Dialed!.Machine;
        if (!session.TryOpenStream(bidirectional: false, out StreamId stream))
        {
            throw new InvalidOperationException("The session opens no stream.");
        }

        _ = session.Write(stream, new byte[StreamBytes]);
        Dialler.Machine.Touch(MonotonicClock.Now, Dialler.Dialed);
        Wait("data", () => session.Statistics.BytesInFlight == 0);
        Returner.LeaveAndComeBack(_seed);
        Wait("back again", () => Returner.Machine.IsReady);
        Dialler.Tap = Listener.Tap = Returner.Tap = null;
        Models = [.. _all.Where(recorded => recorded.To == _seed.Endpoint).Select(recorded => recorded.Datagram), .. SessionKinds(), StunRequest()];
    }

    // Some of what goes between devices: a seed relays it, and must survive it said to itself.
    private IEnumerable<byte[]> SessionKinds() => _all.Where(recorded => recorded.To != _seed.Endpoint).GroupBy(recorded => recorded.Datagram[0])
        .SelectMany(kind => kind.Take(8)).Select(recorded => recorded.Datagram).Append([(byte)PacketKind.HandshakeRetry, .. new byte[40]])
        .Append([(byte)PacketKind.SessionReset, .. new byte[40]]).Append([(byte)PacketKind.RelayData, .. new byte[60]]);

    private static byte[] StunRequest()
    {
        byte[] request = new byte[StunMessage.HeaderBytes];
        _ = StunMessage.WriteBindingRequest(request, new byte[StunMessage.TransactionIdBytes]);
        return request;
    }

    private void Wait(string what, Func<bool> isDone)
    {
        Instant end = MonotonicClock.Now + Patience;
        while (!isDone())
        {
            if (!Turn())
            {
                Thread.Sleep(1);
            }

            if (MonotonicClock.Now > end)
            {
                throw new InvalidOperationException($"The recorded devices did not come to: {what}.");
            }
        }
    }
}

/// <summary>A datagram as it left a device.</summary>
internal sealed record Recorded(DrivenDevice From, Endpoint To, byte[] Datagram);
