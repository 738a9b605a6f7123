"""The display during a cancel."""
