"""Monte Carlo that can be trusted: streams, batch means, limits, and looks at doubling sample sizes."""
