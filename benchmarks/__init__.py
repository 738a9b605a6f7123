"""Whole processes against the vendors' command lines and SDKs, and many runs at once; `make bench`."""
