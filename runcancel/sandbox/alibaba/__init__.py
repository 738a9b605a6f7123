"""The pretended Alibaba Cloud: ECS Cloud Assistant and the few calls around it."""
