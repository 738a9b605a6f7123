"""The user's configuration: contexts, groups, caps."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from runcancel.errors import UsageError


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named way to connect."""

    provider: str
    profile: str | None = None
    regions: tuple[str, ...] = ()
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    site: str | None = None
    protected: bool = False


class Caps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caps that the configuration lowers."""

    max_runs: int | None = None
    max_targets: int | None = None


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    default: tuple[str, ...] = ()
    contexts: dict[str, Context] = {}
    groups: dict[str, tuple[str, ...]] = {}
    caps: Caps = Caps()

    def expand(self, names: Iterable[str]) -> tuple[str, ...]:
        """Contexts of names and groups."""
        return tuple(dict.fromkeys(one for name in names for one in self.groups.get(name, (name,))))


def path(environ: Mapping[str, str]) -> Path:
    """Where the file is."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "runcancel" / "config.toml"


def load(file: Path) -> Config:
    """Read the file; a missing one is empty."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Config)
    except FileNotFoundError:
        return Config()
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: {error}; nothing was sent") from None
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {error}; nothing was sent") from None
