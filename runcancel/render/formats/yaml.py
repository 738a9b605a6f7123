"""A JSON document as YAML that every parser reads back as the same data; PyYAML is imported here alone."""

import re
from typing import Any

import yaml

from runcancel.text import is_plain

_LIKE_A_NUMBER = re.compile(r"[-+.0-9]|[yYnN]\Z")
"""Text to quote for the sake of other parsers: `1e3` and `0o7` are numbers in YAML 1.2, and to some `y` is true."""


class _Dumper(yaml.SafeDumper):
    """Block style, keys in their order, no aliases; what would not show as itself is escaped in double quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        self.allow_unicode = False
        super().write_double_quoted(text, split)
        self.allow_unicode = True


def dump(data: Any) -> str:
    """Data as `json.loads` gives it, as one YAML document that ends with a line feed."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"), default_flow_style=False
    )
    return text.removesuffix("...\n")


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if not is_plain(text):
        style = '"'
    elif _LIKE_A_NUMBER.match(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
