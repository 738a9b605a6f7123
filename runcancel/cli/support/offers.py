"""What a shell can offer that depends on the user’s own files, or on what was typed. Never the network.

Each function takes the arguments that were typed before, and the beginning of the value.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runcancel.journal.base import Journal

_OPERATIONS = 30  # of which references are offered
_REFERENCES = 100
_NAMED = 10  # contexts of a group
_OF_GROUPS = ("list", "add", "remove")


def regions(args: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Every known region, or behind `provider:` those of one provider."""
    from runcancel.providers import PROVIDERS, provider

    name, colon, _ = incomplete.rpartition(":")
    if colon:
        named = sorted(f"{name}:{region}" for region in provider(name).regions) if name in PROVIDERS else []
    else:
        known = sorted({region for each in PROVIDERS for region in provider(each).regions})
        named = ["all", *known, *(f"{each}:" for each in PROVIDERS)]
    return [(region, "") for region in named]


def names(args: list[str], incomplete: str) -> list[tuple[str, str]]:
    """What stands behind an action of `contexts`: contexts and groups, behind `groups` first what to do with them."""
    if args == ["groups"]:
        return [(word, "") for word in _OF_GROUPS]
    return contexts(args, incomplete)


def contexts(args: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Configured contexts and groups, each with what it is."""
    from runcancel.config import file as config_file

    config = config_file.load(config_file.path(os.environ))
    pairs = [(name, each.provider) for name, each in config.contexts.items()]
    grouped = [(name, f"group of {_some(members)}") for name, members in config.all_groups.items()]
    return [(name, help) for name, help in (*pairs, *grouped) if name.startswith(incomplete)]


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def references(args: list[str], incomplete: str) -> list[tuple[str, str]]:
    """References of the newest operations, the newest first, each with its name."""
    from runcancel.text import safe

    names: dict[str, str] = {}
    with _opened() as past:
        for operation in past.operations(_OPERATIONS) if past else ():
            for entry in past.entries(operation.id) if past else ():
                names.setdefault(str(entry.item.run), safe(entry.item.name or operation.verb))
    return list(islice(((ref, name) for ref, name in names.items() if ref.startswith(incomplete)), _REFERENCES))


def operations(args: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Operations, the newest first, each with why it was or what it did."""
    from runcancel.text import safe

    with _opened() as past:
        entries = list(past.operations(_OPERATIONS)) if past else []
    pairs = [(one.id, safe(one.reason or _did(one.counts))) for one in entries]
    pairs += [("last", "the newest operation")] if entries else []
    return [(id, help) for id, help in pairs if id.startswith(incomplete)]


def _did(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


@contextmanager
def _opened() -> Iterator["Journal | None"]:
    """The journal; None where there is none: looking for completions makes no file."""
    from runcancel.journal.store import JournalStore

    store = JournalStore.local(os.environ)
    if not store.file.exists():
        yield None
        return
    with closing(store.open(busy=0.2)) as past:
        yield past
