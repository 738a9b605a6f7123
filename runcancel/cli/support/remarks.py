"""What is to be reported about the outputs of a run beside their text."""

from collections import defaultdict
from collections.abc import Iterator

from runcancel.model.logs import Output
from runcancel.model.runs import Ref
from runcancel.render.screens.logs import encoding_name

_NAMED = 3  # targets that a note names


class Remarks:
    """Remarks on the outputs of one run, each with the targets that it is about.

    `apart`: the outputs are printed without their own remarks. `headed`: each is printed with its remarks, but for the
    note on an output without text, which many targets share. `tail`: only their last lines are printed. `encoding`: the
    one that was chosen.
    """

    def __init__(self, ref: Ref, *, apart: bool, headed: bool = False, tail: bool, encoding: str | None = None) -> None:
        self._ref = ref
        self._apart = apart
        self._headed = headed
        self._tail = tail
        self._encoding = encoding
        self._cut = self._text = False
        self._count = self._silent = 0
        self._labels: dict[str, list[str]] = defaultdict(list)
        self._more: dict[str, int] = defaultdict(int)

    def add(self, output: Output) -> None:
        """Take in one output."""
        self._count += 1
        self._silent += output.silent
        self._cut |= output.truncated
        self._text |= output.encoding is None and not output.silent
        shared = (output.note,) if self._headed and output.silent and output.note else ()
        for remark in _kinds(output) if self._apart else shared:
            self._more[remark] += 1
            if len(self._labels[remark]) < _NAMED:
                self._labels[remark].append(output.label)

    def notes(self) -> Iterator[str]:
        """The remarks as sentences."""
        if not self._count:
            yield f"{self._ref}: no target matches"
            return
        if self._apart and self._silent == self._count:
            yield f"{self._ref}: no output"
        for remark, names in self._labels.items():
            rest = self._more[remark] - len(names)
            yield f"{self._ref}: {remark}: {', '.join(names)}{f' and {rest:,} more' if rest else ''}"
        if self._tail and self._cut:
            yield f"{self._ref}: --tail counts from the end of the stored output, which may be incomplete"
        if self._encoding and self._text:
            yield f"{self._ref}: --encoding has no effect: this cloud keeps text, not bytes"


def _kinds(output: Output) -> Iterator[str]:
    """Remarks that several outputs have in common."""
    if output.note:
        yield output.note
    if output.truncated:
        yield "the cloud cut the output"
    if output.damaged:
        yield f"some of the output is not {encoding_name(output)} text"
    if output.location:
        yield "the full output is stored (location: -o json)"
    if output.upload_error:
        yield "the full output was not stored"
