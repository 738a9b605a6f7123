"""The pretended Tencent Cloud: TAT and the few calls around it."""
