"""The records and closed words that every part speaks: no input or output."""
