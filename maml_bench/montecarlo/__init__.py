"""Monte Carlo that can be trusted: streams, draws with a ceiling, and limits that hold at every sample size at once."""
