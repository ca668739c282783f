return await Carrier.Seed.SeedCommand.RunAsync(args).ConfigureAwait(false);
