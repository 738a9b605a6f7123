"""Machine-readable formats."""
