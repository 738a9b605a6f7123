"""The display while a cancel goes on."""
