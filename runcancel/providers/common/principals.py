"""Who a caller is, as far as it is the same on every machine."""

import re

_SESSION = re.compile(r"((?:arn:[a-z-]+:sts::|acs:ram::)[0-9]+:assumed-role/[^/]+)/.+")
"""A session of a role, on AWS and Alibaba Cloud. Tencent Cloud names the role alone."""


def without_session(principal: str) -> str:
    """The principal without the name of its session, which differs between machines and between processes."""
    return _SESSION.sub(r"\1", principal) if _SESSION.fullmatch(principal) else principal
