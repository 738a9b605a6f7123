"""Replies that contradict themselves: rows swapped, doubled, missing, of another owner, and runs that are called ended.

The replies are the sandbox's own, changed on their way out. What an honest reader may conclude from them is read off
the bytes that were sent, by a table of words of its own.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from runcancel.sandbox.wire import Reply

NOBODY = "ffffffff-ffff-4fff-8fff-ffffffffffff"


@dataclass(frozen=True)
class Listing:
    """One list in the replies: the field that names a row, those with its status, those with its owners."""

    name: str
    status: tuple[str, ...]
    owners: tuple[str, ...] = ()


LISTINGS: Mapping[str, Listing] = {
    "WindowExecutionTaskIdentities": Listing("TaskExecutionId", ("Status",), ("WindowExecutionId",)),
    "WindowExecutionTaskInvocationIdentities": Listing(
        "InvocationId", ("Status",), ("WindowExecutionId", "TaskExecutionId")
    ),
    "Commands": Listing("CommandId", ("Status",)),
    "CommandInvocations": Listing("InstanceId", ("Status",), ("CommandId",)),
    "StepExecutions": Listing("StepExecutionId", ("StepStatus",)),
    "AutomationExecutionMetadataList": Listing(
        "AutomationExecutionId", ("AutomationExecutionStatus",), ("ParentAutomationExecutionId",)
    ),
    "Invocation": Listing("InvokeId", ("InvocationStatus", "InvokeStatus")),
    "InvokeInstance": Listing("InstanceId", ("InvocationStatus", "InstanceInvokeStatus")),
    "InvocationSet": Listing("InvocationId", ("InvocationStatus",)),
    "InvocationTaskBasicInfoSet": Listing("InvocationTaskId", ("TaskStatus",)),
}
"""Every list that a reading of a run goes through, by the name of its field."""

RUNS = ("Commands", "Invocation", "InvocationSet")
"""Lists whose rows are runs: a doubled row is a doubled run."""

ENDED = {"aws": "Cancelled", "window": "CANCELLED", "alibaba": "Stopped", "tencent": "CANCELLED"}
WORDS = {
    "aws": ("InProgress", "Pending", "Cancelling", "Success", "Cancelled", "Failed"),
    "window": ("IN_PROGRESS", "PENDING", "CANCELLING", "SUCCESS", "CANCELLED", "FAILED"),
    "alibaba": ("Running", "Pending", "Stopping", "Success", "Cancelled", "Failed"),
    "tencent": ("RUNNING", "PENDING", "CANCELLING", "SUCCESS", "CANCELLED", "FAILED"),
}
_OPEN = re.compile(r"in_?progress|running|pending|cancelling|stopping|scheduled|deliver(ing|_delayed)|delayed", re.I)


@dataclass(frozen=True)
class Contradiction:
    """One change to every listing that a reply holds. `at` and `other` are taken modulo the number of rows."""

    sort: str
    vocabulary: str
    at: int = 0
    other: int = 0
    word: int = 0

    def apply(self, reply: Reply) -> None:
        try:
            document = json.loads(reply.body)
        except ValueError:
            return
        if self.sort == "ended":
            _call_ended(document, ENDED[self.vocabulary])
        for field, rows in list(listings(document)):
            self._change(rows, LISTINGS[field], whole=field in RUNS)
        reply.body = json.dumps(document).encode()

    def _change(self, rows: list[Any], listing: Listing, *, whole: bool) -> None:
        if not rows:
            return
        at, other = self.at % len(rows), self.other % len(rows)
        word = WORDS[self.vocabulary][self.word % len(WORDS[self.vocabulary])]
        if self.sort == "doubled":
            rows.insert(other, _with(json.loads(json.dumps(rows[at])), listing.status, word))
        elif self.sort == "missing" and not whole:
            del rows[at]
        elif self.sort == "foreign" and listing.owners:
            stranger = _with(json.loads(json.dumps(rows[at])), listing.status, word)
            rows.insert(other, _with(stranger, listing.owners[-1:], NOBODY))
        elif self.sort == "swapped" and not whole:
            for status in listing.status:
                if status in rows[at] and status in rows[other]:
                    rows[at][status], rows[other][status] = rows[other][status], rows[at][status]


def changes(vocabulary: str) -> st.SearchStrategy[tuple[Contradiction, ...]]:
    """One to four contradictions, of which the run's own word may be one."""
    sorts = st.sampled_from(["ended", "ended", "doubled", "missing", "foreign", "swapped"])
    one = st.builds(
        Contradiction, sorts, st.just(vocabulary), st.integers(0, 40), st.integers(0, 40), st.integers(0, 5)
    )
    return st.lists(one, min_size=1, max_size=4).map(tuple)


def listings(value: Any) -> Iterator[tuple[str, list[Any]]]:
    """Every listing in a document, the inner ones first."""
    for field, inner in value.items() if isinstance(value, dict) else ():
        yield from listings(inner)
        if field in LISTINGS and isinstance(inner, list):
            yield field, inner
    for inner in value if isinstance(value, list) else ():
        yield from listings(inner)


def is_open(word: object) -> bool:
    """Whether a status word is none of an end, as the vendors' pages have it."""
    return isinstance(word, str) and _OPEN.fullmatch(word) is not None


def open_rows(sent: list[bytes], ids: frozenset[str]) -> set[str]:
    """The rows of a run that some body showed open, by their names; `ids` are the run and its window's tasks.

    Steps that never began in an automation that has ended are none: the vendor documents them so.
    """
    found: set[str] = set()
    for body in sent:
        for field, rows in listings(json.loads(body)):
            listing = LISTINGS[field]
            for row in rows:
                ours = all(str(row.get(owner)).lower() in ids for owner in listing.owners if row.get(owner))
                words = [row.get(status) for status in listing.status if row.get(status)]
                waits = field == "StepExecutions" and words == ["Pending"]
                if ours and not waits and words and is_open(words[0]):
                    found.add(str(row.get(listing.name)))
    return found


def named_rows(sent: list[bytes]) -> set[str]:
    """Every name of a row that some body held."""
    return {str(row.get(LISTINGS[f].name)) for body in sent for f, rows in listings(json.loads(body)) for row in rows}


def _with(row: Any, fields: tuple[str, ...], value: str) -> Any:
    return {**row, **{field: value for field in fields if field in row}}


def _call_ended(document: Any, word: str) -> None:
    """Give the run itself the word of an end, and leave its rows as they are."""
    if "TaskIds" in document:
        document["Status"] = word
    if "AutomationExecution" in document:
        document["AutomationExecution"]["AutomationExecutionStatus"] = word
    for field, rows in listings(document):
        if field in RUNS:
            rows[:] = [_with(row, LISTINGS[field].status, word) for row in rows]
