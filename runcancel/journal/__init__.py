"""What was requested and what was seen, kept on disk."""
