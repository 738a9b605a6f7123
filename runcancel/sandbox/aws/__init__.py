"""The pretended AWS: Systems Manager and the few calls around it."""
