"""Profile files of several accounts, as the vendors' command lines would have written them, and contexts for them."""

import json
from pathlib import Path

from runcancel.sandbox.accounts import DEFAULT_REGION, PROVIDERS, key


def write(home: Path, accounts: int) -> None:
    """Give a home the profiles `account1` … of every cloud, a context for each, and the group `everything`."""
    names = [f"account{number + 1}" for number in range(accounts)]
    _aws(home / ".aws", names)
    _alibaba(home / ".aliyun", names)
    _tencent(home / ".tccli", names)
    _contexts(home / ".config" / "runcancel", names)


def _aws(folder: Path, names: list[str]) -> None:
    config, credentials = [], []
    for account, name in enumerate(names):
        pair = key("aws", account)
        config.append(f"[profile {name}]\nregion = {DEFAULT_REGION['aws']}\n")
        credentials.append(f"[{name}]\naws_access_key_id = {pair.id}\naws_secret_access_key = {pair.secret}\n")
    _put(folder / "config", "".join(config))
    _put(folder / "credentials", "".join(credentials))


def _alibaba(folder: Path, names: list[str]) -> None:
    pairs = [(name, key("alibaba", account)) for account, name in enumerate(names)]
    profiles = [
        {
            "name": name,
            "mode": "AK",
            "access_key_id": pair.id,
            "access_key_secret": pair.secret,
            "region_id": DEFAULT_REGION["alibaba"],
        }
        for name, pair in pairs
    ]
    _put(folder / "config.json", json.dumps({"current": names[0], "profiles": profiles}))


def _tencent(folder: Path, names: list[str]) -> None:
    for account, name in enumerate(names):
        pair = key("tencent", account)
        _put(folder / f"{name}.credential", json.dumps({"secretId": pair.id, "secretKey": pair.secret}))
        _put(folder / f"{name}.configure", json.dumps({"_sys_param": {"region": DEFAULT_REGION["tencent"]}}))


def _contexts(folder: Path, names: list[str]) -> None:
    tables = [
        f'[contexts.{provider}-{name}]\nprovider = "{provider}"\nprofile = "{name}"\n'
        for provider in PROVIDERS
        for name in names
    ]
    members = ", ".join(f'"{provider}-{name}"' for provider in PROVIDERS for name in names)
    _put(folder / "config.toml", "".join(tables) + f"[groups]\neverything = [{members}]\n")


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
