namespace Carrier.Agent.Channels;

/// <summary>A payment channel as commands show it. Amounts are decimal ELA.</summary>
/// <param name="Channel">The id of the funding transaction.</param>
/// <param name="Role"><c>payer</c> or <c>payee</c>: which end this is.</param>
/// <param name="State">As <see cref="Chain.Channels.ChannelState"/>.</param>
/// <param name="Capacity">The most that can be paid in all.</param>
/// <param name="Paid">What the highest voucher pays.</param>
/// <param name="Acknowledged">What of it the payee is known to have on disk.</param>
/// <param name="Window">What the payer pays at most ahead of acknowledgements.</param>
/// <param name="LockHeight">From the block after it the payer can take its deposit back.</param>
/// <param name="Confirmations">Of the funding transaction, as many nodes as needed agreeing.</param>
/// <param name="Spender">The transaction that spends the deposit, with its confirmations; zero while it waits in a pool.</param>
/// <param name="Restored">One side lost its record: the channel is only closed any more.</param>
/// <param name="Trouble">What keeps it from going on, and what to do.</param>
internal sealed record ChannelReport(
    string Channel,
    string Role,
    string Peer,
    string State,
    string Deposit,
    string Capacity,
    string Paid,
    string Acknowledged,
    string Window,
    ulong Vouchers,
    uint LockHeight,
    bool Connected,
    uint? Height = null,
    uint? Confirmations = null,
    string? Spender = null,
    uint? SpenderConfirmations = null,
    bool Restored = false,
    string? Trouble = null);
