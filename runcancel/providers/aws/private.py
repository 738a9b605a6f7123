"""What botocore gives no public way to: choose how its sources of credentials read, send, keep and ask; when keys end.

The private names stand here alone; `tests/test_private_apis.py` fails when botocore changes one of them.
"""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import botocore.session

Cache = MutableMapping[str, Any]


def read_files_by(
    session: botocore.session.Session, *, credentials: Callable[[str], Any], config: Callable[[str], Any]
) -> None:
    """Let the sources that read a file themselves read it by these."""
    resolver = _resolver(session)
    resolver.get_provider("shared-credentials-file")._ini_parser = credentials
    resolver.get_provider("config-file")._config_parser = config


def fetch_metadata_by(session: botocore.session.Session, *, container: object, instance: object) -> None:
    """Let the two clients of metadata services send by a fetcher for containers and a session for instances."""
    resolver = _resolver(session)
    resolver.get_provider("container-role")._fetcher = container
    resolver.get_provider("iam-role")._role_fetcher._session = instance


def keep_in(
    session: botocore.session.Session, *, roles: Cache, sso: Cache, login: Cache, ask: Callable[[str], str]
) -> None:
    """Let the sources keep what they get in these, and request a second factor by `ask`."""
    provider = _resolver(session).get_provider("assume-role")
    provider.cache, provider._prompter = roles, ask
    provider._profile_provider_builder._sso_token_cache = sso
    provider._profile_provider_builder._login_token_cache = login


def end_of(credentials: Any) -> float | None:
    """When keys that are renewed end, in seconds since 1970; None for those that stay."""
    ends = getattr(credentials, "_expiry_time", None)
    return None if ends is None else float(ends.timestamp())


def of_profile(session: botocore.session.Session, profile: str, methods: Iterable[str]) -> dict[str, Any]:
    """The sources of a profile that are of one of these methods, by their method."""
    builder = _resolver(session).get_provider("assume-role")._profile_provider_builder
    return {one.METHOD: one for one in builder.providers(profile) if one.METHOD in set(methods)}


def _resolver(session: botocore.session.Session) -> Any:
    return session.get_component("credential_provider")
