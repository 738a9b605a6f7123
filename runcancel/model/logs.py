"""What targets wrote, as records: bytes or text, what the cloud cut of it, and where all of it is."""

from typing import Self

from msgspec import Struct, field, structs

from runcancel.model.runs import Invocation, Ref
from runcancel.model.states import State


class Output(Struct, frozen=True, kw_only=True):
    """What one invocation wrote, as far as its cloud keeps it.

    `run` is the run that wrote it; `parent` the run that was named, where that one started `run`. `stdout` is null when
    the cloud keeps none here, `stderr` also where it keeps both streams in one (`merged`: then all is in `stdout`).
    """

    run: Ref
    parent: Ref | None
    id: str
    task: str | None
    step: str | None  # of a run whose invocations have several
    target: str | None
    target_name: str | None
    state: State
    provider_status: str
    status_detail: str | None
    exit_code: int | None
    stdout: str | None
    stderr: str | None
    merged: bool
    truncated: bool  # by the cloud
    dropped: int | None  # bytes that the cloud says it cut; null: it does not report it
    encoding: str | None  # by which bytes became text; null: the cloud keeps text
    damaged: bool  # some bytes were no text in this encoding and stand as U+FFFD
    location: str | None  # where the whole output is, as the cloud writes it
    stderr_location: str | None
    upload_error: str | None  # the cloud's own word on why it is not there
    child: Ref | None  # a run that the invocation started and whose output is not here
    note: str | None  # why there is no text, where it is not that nothing was written

    @classmethod
    def of(cls, invocation: Invocation, *, merged: bool) -> Self:
        """The output of an invocation before any of it is known."""
        return cls(
            run=invocation.run,
            parent=None,
            id=invocation.id,
            task=invocation.task,
            step=None,
            target=invocation.target,
            target_name=invocation.target_name,
            state=invocation.state,
            provider_status=invocation.provider_status,
            status_detail=invocation.status_detail,
            exit_code=invocation.exit_code,
            stdout=None,
            stderr=None,
            merged=merged,
            truncated=False,
            dropped=None,
            encoding=None,
            damaged=False,
            location=None,
            stderr_location=None,
            upload_error=None,
            child=invocation.child,
            note=None,
        )

    @property
    def key(self) -> tuple[Ref, str, str | None]:
        """What sets it apart from every other output: run, invocation, step."""
        return self.run, self.id, self.step

    @property
    def label(self) -> str:
        """What a person calls whatever wrote this: target, else its name, else the id; with the step."""
        name = self.target or self.target_name or self.id
        return name if self.step in (None, name) else f"{name}/{self.step}"

    @property
    def silent(self) -> bool:
        """Whether there is no text at all."""
        return not self.stdout and not self.stderr

    def last(self, lines: int) -> Self:
        """The same with the last `lines` lines of each stream."""
        return structs.replace(self, stdout=_last(self.stdout, lines), stderr=_last(self.stderr, lines))


class Capture(Struct, frozen=True, kw_only=True):
    """What a cloud keeps of one output: `content` in bytes, with a `record` whose `stdout` is not known yet.

    `content` is None where the cloud keeps text, which the record has, or nothing. `intact` is false where the cloud's
    own encoding of the bytes was broken.
    """

    record: Output
    content: bytes | None = None
    intact: bool = True

    @classmethod
    def of_text(cls, record: Output) -> Self:
        """The output of a cloud that keeps text."""
        return cls(record=record)


class Finished(Struct, frozen=True):
    """Outputs that need no other reading, by `Output.key`, and runs that others started all of whose outputs do not."""

    outputs: set[tuple[Ref, str, str | None]] = field(default_factory=set)
    runs: set[Ref] = field(default_factory=set)


NONE_FINISHED = Finished()


def _last(text: str | None, lines: int) -> str | None:
    if not text:
        return text
    end = len(text) - text.endswith("\n")
    for _ in range(lines):
        end = text.rfind("\n", 0, end)
        if end < 0:
            return text
    return text[end + 1 :]
