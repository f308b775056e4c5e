"""Nouns, frozen: artifact, fleet, release, deployment, event, verdict, cause."""
