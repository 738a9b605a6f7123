"""ARNs and console URLs that name a run: what all vendors' readers of them share."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct

from runcancel.model.runs import Kind

LINKS = "the ARN or console URL of a run"


class Link(Struct, frozen=True, kw_only=True):
    """The run that an ARN or a console URL names. `account` is the one in it; None where it has none.

    `repeatable`: its text holds no way to sign in, and can be printed.
    """

    id: str
    region: str
    kind: str
    account: str | None = None
    repeatable: bool = False


class NotARun(Exception):
    """It names no run, or not one alone: the text is one clause with the reason, `hint` what would be right."""

    def __init__(self, why: str, *, hint: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def address(text: str) -> SplitResult:
    """A URL in its parts. Raises `NotARun` for one that cannot be read."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise NotARun("it cannot be read as a URL") from None
    return parts


def check_address(parts: SplitResult) -> None:
    """Raise `NotARun` for what no address bar of a console holds; for hosts that are known to be one's own."""
    if parts.scheme != "https":
        raise NotARun("a console URL starts with https://")
    if "@" in parts.netloc or "\\" in parts.geturl():
        raise NotARun("a console URL has no user and no password")
    if parts.port not in (None, 443):
        raise NotARun("a console URL has a host and no port")


def query_values(parts: SplitResult, names: Iterable[str]) -> frozenset[str]:
    """The values of any of the names in the query, or in the query of a fragment, in any case."""
    lowered = {name.lower() for name in names}
    queries = (parts.query, parts.fragment.rpartition("?")[2])
    pairs = (pair for query in queries for pair in parse_qsl(query))
    return frozenset(value for name, value in pairs if name.lower() in lowered)


def one_region(candidates: Iterable[str], vendor_regions: frozenset[str], *, form: str) -> str:
    """The only one of several regions. Raises `NotARun`; `form` is the reference that would be right, with REGION."""
    regions = sorted(set(candidates))
    if not regions:
        raise NotARun("the URL has no region", hint=f"use the reference: {form}")
    if len(regions) > 1:
        raise NotARun("the URL has more than one region", hint=f"use the reference: {form}")
    if regions[0] not in vendor_regions:
        raise NotARun("the URL has an unknown region", hint=f"use the reference: {form}")
    return regions[0]


def only_run(
    text: str,
    kind: Kind,
    *,
    provider: str,
    hosts: frozenset[str],
    regions: frozenset[str],
    numbers: Mapping[str, str],
) -> Link | None:
    """The run of a page whose shape the vendor tells nobody: exactly one id and one region, wherever they stand.

    None for an ARN and for a host that is none of the vendor's console's. `numbers` are the console's own numbers of
    regions, in `rid=` and `regionId=`. Raises `NotARun`.
    """
    if text.startswith("arn:"):
        return None
    parts = address(text)
    if parts.hostname not in hosts:
        return None
    check_address(parts)
    words = _words(parts)
    ids = sorted({word for word in words if kind.matches(word)})
    if len(ids) != 1:
        raise NotARun(f"the URL has {'no id' if not ids else 'more than one id'} of a run")
    numbered = {numbers[each] for each in query_values(parts, ("rid", "regionId")) if each in numbers}
    regions_there = {word for word in words if word in regions} | query_values(parts, ("region",)) | numbered
    form = f"{provider}:REGION:{kind.name}/{ids[0]}"
    return Link(id=ids[0], region=one_region(regions_there - {""}, regions, form=form), kind=kind.name)


def _words(parts: SplitResult) -> frozenset[str]:
    everything = unquote(f"{parts.path}?{parts.query}#{parts.fragment}", errors="replace")
    return frozenset(re.split(r"[^0-9A-Za-z-]+", everything))
