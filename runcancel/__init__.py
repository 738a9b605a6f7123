"""Find, inspect, cancel and verify remote command runs on three clouds."""

__version__ = "0.1.0"
