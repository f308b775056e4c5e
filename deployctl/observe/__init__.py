"""Reads the fleet once, whole pages or nothing, into a snapshot."""
