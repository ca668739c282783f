using System.Security.Cryptography;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Blocks;

/// <summary>Gives devnet coins away. Its key is the hash of a public phrase: everybody has it, so nothing but a devnet may ever use it.</summary>
public sealed class Faucet : IDisposable
{
    /// <summary>Coins the genesis output is split into, so that many payments fit into one block.</summary>
    public const int Coins = 200;

    private const long CoinEla = 10_000;
    private const long FeeSela = 10_000;

    private readonly DevnetChain _chain;
    private readonly P256Signer _key;

    public Faucet(DevnetChain chain)
    {
        _chain = chain;
        using OwnerKey owner = Key();
        _key = new P256Signer(owner);
    }

    /// <summary>Who owns block 0 of every devnet.</summary>
    public static ProgramHash Owner
    {
        get
        {
            using OwnerKey owner = Key();
            return ProgramHash.FromTrustId(owner.TrustId);
        }
    }

    /// <summary>Mines until the genesis coins may be spent and splits them; on a chain that is past that it does nothing.</summary>
    public void Prepare(UnixTime now)
    {
        while (_chain.Height < TransactionLedger.CoinBaseMaturity)
        {
            _ = _chain.Mine(Owner, now);
        }

        if (_chain.Height == TransactionLedger.CoinBaseMaturity)
        {
            Sela rest = Chain.Networks.Genesis.Supply - new Sela((Coins * CoinEla * Sela.PerEla) + FeeSela);
            TransactionOutput[] split = [.. Enumerable.Repeat(new TransactionOutput(new Sela(CoinEla * Sela.PerEla), Owner), Coins), new TransactionOutput(rest, Owner)];
            Transaction transaction = Sign(new OutPoint(_chain.At(0).Transactions[0].Id, 0), split);
            _ = _chain.Mine(Owner, now, [transaction]);
        }
    }

    /// <summary>Pays <paramref name="amount"/>; the payment waits in the pool.</summary>
    /// <returns>Null when no single coin of the faucet is large enough.</returns>
    public Transaction? Pay(ProgramHash to, Sela amount)
    {
        ProgramHash owner = Owner;
        foreach ((OutPoint outPoint, Coin coin) in _chain.Ledger.Coins)
        {
            bool isMature = !coin.IsCoinBase || _chain.Height - coin.Height >= TransactionLedger.CoinBaseMaturity;
            if (coin.Output.Owner == owner && isMature && coin.Output.Value.Value >= amount.Value + FeeSela
                && !_chain.Ledger.TryFindPoolSpender(outPoint, out _))
            {
                var change = new TransactionOutput(new Sela(coin.Output.Value.Value - amount.Value - FeeSela), owner);
                Transaction payment = Sign(outPoint, new TransactionOutput(amount, to), change);
                return _chain.Ledger.Submit(payment).IsAccepted ? payment : null;
            }
        }

        return null;
    }

    public void Dispose() => _key.Dispose();

    private static OwnerKey Key() =>
        OwnerKey.TryFromPrivate(SHA256.HashData("carrier devnet faucet"u8), out OwnerKey? key) ? key : throw new InvalidOperationException("The phrase is no key.");

    private Transaction Sign(OutPoint coin, params TransactionOutput[] outputs)
    {
        var unsigned = new Transaction { Inputs = [new TransactionInput(coin)], Outputs = [.. outputs] };
        ChannelSignature signature = _key.Sign(unsigned.EncodeUnsigned());
        return unsigned.WithPrograms(RedeemScript.Standard(_key.PublicKey).Program(signature.Span.ToArray()));
    }
}
