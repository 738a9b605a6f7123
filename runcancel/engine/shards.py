"""A saved plan in parts, one per process: which shard each scope is in, and what `--shard` names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from runcancel.engine.saved import SavedCaller
from runcancel.errors import UsageError
from runcancel.model.outcomes import PlanItem, Shard
from runcancel.model.runs import Scope
from runcancel.text import quoted

MOST = 1_000_000
"""How many shards a plan may have."""

_SHARD = re.compile(r"(?P<index>auto|[0-9]{1,9})(?:/(?P<count>[0-9]{1,9}))?")
_NUMBER = re.compile(r"[0-9]{1,9}")
_EXPECTED = "Expected I/N with I from 0 to N-1, as in 0/4 and 3/4, or auto/N"


def position(provider: str, account: str, region: str, count: int) -> int:
    """The shard, from 0, of everything in one account and region.

    The SHA-256 of the three words with a line feed between them: its first 15 hexadecimal digits, as a number modulo
    `count`. That is the same on every machine and for every version of Python, and a shell can compute it.
    """
    words = "\n".join((provider, account, region)).encode("utf-8", "surrogatepass")
    return int(sha256(words).hexdigest()[:15], 16) % count


class Placement:
    """Where the scopes of a plan are, by the accounts that it recorded; where it has none, by the context's name."""

    def __init__(self, callers: Iterable[SavedCaller], count: int) -> None:
        self._accounts = {one.scope: one.account for one in callers if one.account}
        self._count = count

    def of(self, scope: Scope) -> int:
        """The number of the shard of a scope, from 0: a stable hash of its provider, account and region."""
        account = self._accounts.get(str(scope)) or scope.context or ""
        return position(scope.provider, account, scope.region, self._count)


def cut(items: Sequence[PlanItem], callers: Iterable[SavedCaller], shard: Shard) -> tuple[PlanItem, ...]:
    """The items of one shard, in their order. The shards of a plan share no item, and none is in no shard."""
    placement = Placement(callers, shard.count)
    return tuple(item for item in items if placement.of(item.run.scope) == shard.index)


def parse(text: str, environ: Mapping[str, str]) -> Shard:
    """The shard that `--shard` names: `I/N` from 0, or `auto` with the index that a job array gives its processes.

    Raises `UsageError` with one line.
    """
    match = _SHARD.fullmatch(text.strip())
    if match is None or (match["count"] is None and match["index"] != "auto"):
        raise _wrong(text, f"not a shard. {_EXPECTED}")
    count = _count(text, match["count"], environ)
    if not 0 < count <= MOST:
        raise _wrong(text, f"a plan has 1 to {MOST:,} shards")
    index = _index(text, count, environ) if match["index"] == "auto" else int(match["index"])
    if index >= count:
        raise _wrong(
            text, f"there is no shard {index}: shards are counted from 0, and the last of {count} is {count - 1}"
        )
    return Shard(index=index, count=count)


def _count(text: str, count: str | None, environ: Mapping[str, str]) -> int:
    if count is not None:
        return int(count)
    if environ.get("JOB_COMPLETION_INDEX") or not environ.get("SLURM_ARRAY_TASK_COUNT"):
        raise _wrong(text, "the number of shards is not known here: write auto/N (only a Slurm array may leave it out)")
    return _variable(text, environ, "SLURM_ARRAY_TASK_COUNT")


def _index(text: str, count: int, environ: Mapping[str, str]) -> int:
    """The index of this process. Raises `UsageError` where nothing gives one, or a Slurm array does not fit."""
    if environ.get("JOB_COMPLETION_INDEX"):
        return _variable(text, environ, "JOB_COMPLETION_INDEX")
    if not environ.get("SLURM_ARRAY_TASK_ID"):
        raise _wrong(text, "neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set: name the shard as I/N")
    first, last, tasks = (
        _variable(text, environ, f"SLURM_ARRAY_TASK_{word}") if environ.get(f"SLURM_ARRAY_TASK_{word}") else None
        for word in ("MIN", "MAX", "COUNT")
    )
    if first is None:
        raise _wrong(text, "SLURM_ARRAY_TASK_ID is set but SLURM_ARRAY_TASK_MIN is not")
    if tasks is not None and (tasks != count or (last is not None and last - first + 1 != tasks)):
        ids = f"{tasks} tasks" if last is None else f"{tasks} tasks from {first} to {last}"
        raise _wrong(text, f"the Slurm array has {ids}, which are not {count} shards: name the shard as I/N")
    index = _variable(text, environ, "SLURM_ARRAY_TASK_ID") - first
    if index < 0:
        raise _wrong(text, "SLURM_ARRAY_TASK_ID is lower than SLURM_ARRAY_TASK_MIN")
    return index


def _variable(text: str, environ: Mapping[str, str], name: str) -> int:
    value = environ[name].strip()
    if not _NUMBER.fullmatch(value):
        raise _wrong(text, f"{name} is not a number")
    return int(value)


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"--shard {quoted(text)}: {why}; nothing was sent")
