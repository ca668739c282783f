using Carrier.Agent.Commands;

return await CarrierCommand.RunAsync(args).ConfigureAwait(false);
