"""The local cloud: moto, extended where it only pretends, and a fleet of simulated workers."""
