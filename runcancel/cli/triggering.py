"""Options of the verbs about triggers: which of them a search finds, what is changed, what is allowed."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from runcancel import environment
from runcancel.cli import changes, options
from runcancel.cli.bundles import Bundle, Offers
from runcancel.model.triggers import TriggerQuery, TriggerState
from runcancel.providers import PROVIDERS, provider


def _kinds() -> list[str]:
    return list(dict.fromkeys(kind.name for name in PROVIDERS for kind in provider(name).trigger_kinds))


class TriggerFilters(Bundle, frozen=True, kw_only=True):
    """Which triggers a search finds."""

    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATE",
            help="Only triggers in this state: enabled, disabled (repeatable).",
        ),
        Offers(lambda: list(TriggerState)),
    ] = None
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind of trigger (repeatable)."),
        Offers(_kinds),
    ] = None
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Only triggers with exactly this name or document.")
    ] = None
    name_glob: Annotated[
        str | None,
        typer.Option("--name-glob", metavar="GLOB", help="Only triggers whose name or document matches: patch-*."),
    ] = None
    document: Annotated[
        str | None,
        typer.Option("--document", metavar="NAME", help="Only triggers that run exactly this document or command."),
    ] = None
    script: Annotated[
        str | None,
        typer.Option("--script", metavar="TEXT", help="Only triggers whose script or parameters contain this text."),
    ] = None
    starts_within: Annotated[
        str | None,
        typer.Option("--starts-within", metavar="TIME", help="Only triggers that start within this time, as in 2h."),
    ] = None

    @property
    def any(self) -> bool:
        """Whether a filter was given."""
        return self != TriggerFilters()

    def query(self) -> TriggerQuery:
        """The filters as one value. Raises `UsageError` for an empty value, an unknown word or a wrong time."""
        starts_by = None
        if self.starts_within is not None:
            seconds = environment.duration("--starts-within", self.starts_within, with_unit=True)
            starts_by = datetime.now(UTC) + timedelta(seconds=seconds)
        return TriggerQuery(
            states=frozenset(
                TriggerState(word) for word in options.known_words("--status", self.status, list(TriggerState))
            ),
            kinds=frozenset(options.known_words("--kind", self.kind, _kinds())),
            name=None if self.name is None else environment.plain("--name", self.name),
            name_glob=None if self.name_glob is None else environment.plain("--name-glob", self.name_glob),
            document=None if self.document is None else environment.plain("--document", self.document),
            script=None if self.script is None else environment.plain("--script", self.script),
            starts_by=starts_by,
        )


class TriggerSources(Bundle, frozen=True, kw_only=True):
    """Where the triggers come from, if they are neither typed nor found by a filter."""

    plan: changes.Plan = None
    shard: changes.Shard = None
    from_: Annotated[
        str | None,
        typer.Option("--from", "-f", metavar="FILE", help="Read triggers from a file; - is stdin."),
    ] = None
    resume: changes.Resume = None


Triggers = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TRIGGER...]", help="Triggers: [context@][provider:][region:][kind/]id."),
]


class Change(Bundle, frozen=True, kw_only=True):
    """What `disable` and `enable` take alike."""

    refs: Triggers = None
    dry_run: changes.DryRun = False
    sources: TriggerSources
    filters: TriggerFilters
    confirmation: changes.Confirmation
    max_triggers: changes.MaxTriggers = None
    require_match: changes.RequireMatch = False
    allow_incomplete: changes.AllowIncomplete = False
    waiting: changes.Waiting
    record: changes.Record
    take_over: Annotated[
        bool, typer.Option("--take-over", help="With --resume: continue what another process is still carrying out.")
    ] = False
