"""Release a version to a whole fleet of EC2 workers at once, and prove which workers really run it."""

__version__ = "0.1.0"
