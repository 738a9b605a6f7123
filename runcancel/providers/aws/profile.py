"""What AWS's variables and profile files say, read without the SDK."""

from collections.abc import Mapping
from configparser import Error, RawConfigParser
from pathlib import Path

PREFIX = "AWS_"
HOMES = ("HOME", "USERPROFILE")
"""What decides where profiles are and what they say."""

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""In order. botocore reads only the second; every other AWS SDK reads the first."""

CREDENTIAL_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def region(environ: Mapping[str, str], profile: str | None) -> tuple[str, str] | None:
    """The region of the variables, else of the profile, and where it was found."""
    for name in REGION_VARIABLES:
        if environ.get(name):
            return environ[name], name
    wanted = profile_name(environ, profile)
    config, credentials = files(environ)
    for path, section in ((credentials, wanted), (config, _config_section(wanted))):  # botocore lets the first win
        found = _read(path).get(section, {}).get("region")
        if found:
            return found, f'profile "{wanted}" in {path}'
    return None


def configured(environ: Mapping[str, str]) -> bool:
    """Whether any credential variable is set or a profile file exists."""
    return any(environ.get(name) for name in CREDENTIAL_VARIABLES) or any(path.is_file() for path in files(environ))


def profile_name(environ: Mapping[str, str], profile: str | None) -> str:
    """The profile in use, as botocore chooses it."""
    return profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"


def files(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """Where the config file and the credentials file are, whether they exist or not."""
    return (
        _path(environ, "AWS_CONFIG_FILE", "config"),
        _path(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    )


def _path(environ: Mapping[str, str], variable: str, name: str) -> Path:
    home = next((environ[name] for name in HOMES if environ.get(name)), "~")
    chosen = environ.get(variable) or f"~/.aws/{name}"
    return Path(home + chosen[1:]) if chosen.startswith("~/") else Path(chosen)


def _config_section(profile: str) -> str:
    return profile if profile == "default" else f"profile {profile}"


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Sections of a profile file; none when it cannot be read. `[profile "x y"]` is `[profile x y]`."""
    parser = RawConfigParser(strict=False, default_section="")
    try:
        parser.read(path, encoding="utf-8")
    except (Error, OSError, UnicodeDecodeError):
        return {}
    return {" ".join(name.replace('"', "").split()): dict(parser[name]) for name in parser.sections()}
