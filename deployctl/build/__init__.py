"""A git tree becomes one deterministic bundle and its manifest."""
