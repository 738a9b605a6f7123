"""AWS's two files in botocore's shapes, read by `files.ini`: reports and connections use the same reading.

botocore's own reading refuses a byte order mark.
"""

import os
from copy import copy
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.configloader import build_profile_map
from botocore.exceptions import ConfigNotFound
from botocore.hooks import HierarchicalEmitter

from runcancel.providers.aws import private
from runcancel.providers.aws.profile import nested
from runcancel.providers.common.files import ini, stamp
from runcancel.redaction import remember_fields


class Session(botocore.session.Session):
    """A session of botocore's that has its files read here."""

    @cached_property
    def full_config(self) -> dict[str, Any]:
        """Both files, the credentials file over the other. Raises `CloudError`."""
        config, credentials = (self.get_config_variable(name) for name in ("config_file", "credentials_file"))
        return _merged(config, credentials, (stamp(_path(config)), stamp(_path(credentials))))


@lru_cache(maxsize=4)
def _merged(config: str, credentials: str, _stamps: object) -> dict[str, Any]:
    """The sections of thousands of profiles, once for all sessions; botocore changes nothing in them."""
    found = _read(load_config, config) or {"profiles": {}}
    for name, values in _read(raw_config, credentials).items():
        found["profiles"].setdefault(name, {}).update(values)
    remember_fields(found)
    return found


_HANDLERS: list[HierarchicalEmitter] = []
"""botocore's own handlers of events, registered once: that takes as long as the rest of a session."""


def new_session(profile: str | None) -> Session:
    """A session with handlers of events of its own."""
    if _HANDLERS:
        return Session(profile=profile, event_hooks=copy(_HANDLERS[0]), include_builtin_handlers=False)
    hooks = HierarchicalEmitter()
    session = Session(profile=profile, event_hooks=hooks)
    _HANDLERS.append(copy(hooks))
    return session


def read_here(session: botocore.session.Session) -> None:
    """Let the sources of credentials that read a file themselves have it read here."""
    private.read_files_by(session, credentials=raw_config, config=load_config)


def raw_config(path: str) -> dict[str, dict[str, Any]]:
    """The sections of a file, indented blocks as mappings. Raises `ConfigNotFound`, or `CloudError`."""
    sections = ini(_path(path))
    if sections is None:
        raise ConfigNotFound(path=path)
    return {name: {key: _value(value) for key, value in values.items()} for name, values in sections.items()}


def _path(name: str) -> Path:
    return Path(os.path.expanduser(os.path.expandvars(name)))


def load_config(path: str) -> dict[str, Any]:
    """The same, profiles and services by their names."""
    profiles: dict[str, Any] = build_profile_map(raw_config(path))
    return profiles


def _value(value: str) -> Any:
    return nested(value) if value.startswith("\n") else value


def _read(load: Any, path: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = load(path)
    except ConfigNotFound:
        return {}
    return content
