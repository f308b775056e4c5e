"""What people and pipelines see. Pure functions from values to lines, tables and JSON; only the painter draws."""
