"""What a shell can offer out of the user’s own files: contexts, operations, recent references. Never the network."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice

from runcancel.config import file as config_file
from runcancel.journal.base import Journal
from runcancel.journal.store import JournalStore
from runcancel.text import safe

_OPERATIONS = 30  # of which references are offered
_REFERENCES = 100
_NAMED = 10  # contexts of a group


def contexts(incomplete: str) -> list[tuple[str, str]]:
    """Configured contexts and groups, each with what it is."""
    config = config_file.load(config_file.path(os.environ))
    pairs = [(name, each.provider) for name, each in config.contexts.items()]
    grouped = [(name, f"group of {_some(members)}") for name, members in config.all_groups.items()]
    return [(name, help) for name, help in (*pairs, *grouped) if name.startswith(incomplete)]


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def references(incomplete: str) -> list[tuple[str, str]]:
    """References of the newest operations, the newest first, each with its name."""
    names: dict[str, str] = {}
    with _opened() as past:
        for operation in past.operations(_OPERATIONS) if past else ():
            for entry in past.entries(operation.id) if past else ():
                names.setdefault(str(entry.item.run), safe(entry.item.name or operation.verb))
    return list(islice(((ref, name) for ref, name in names.items() if ref.startswith(incomplete)), _REFERENCES))


def operations(incomplete: str) -> list[tuple[str, str]]:
    """Operations, the newest first, each with why it was or what it did."""
    with _opened() as past:
        entries = list(past.operations(_OPERATIONS)) if past else []
    pairs = [(one.id, safe(one.reason or _did(one.counts))) for one in entries]
    pairs += [("last", "the newest operation")] if entries else []
    return [(id, help) for id, help in pairs if id.startswith(incomplete)]


def _did(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


@contextmanager
def _opened() -> Iterator[Journal | None]:
    """The journal; None where there is none: looking for completions makes no file."""
    store = JournalStore.local(os.environ)
    if not store.file.exists():
        yield None
        return
    with closing(store.open(busy=0.2)) as past:
        yield past
