"""`runcancel triggers`: what will start runs by itself."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.searched import coverage, scopes_to_search
from runcancel.cli.triggering import TriggerFilters
from runcancel.config.search_scopes import unusable
from runcancel.engine.search import split_gaps
from runcancel.engine.trigger_search import find_triggers
from runcancel.errors import Searched, exit_of_listing
from runcancel.model.runs import Problem, Scope
from runcancel.model.triggers import Trigger, TriggerState
from runcancel.providers import provider
from runcancel.render import End
from runcancel.text import command

_SHOWN = 50  # rows on a terminal
_NEVER = datetime.max.replace(tzinfo=UTC)


def triggers(session: Session, *, filters: TriggerFilters, limit: options.Limit = None) -> int:
    """Find what starts runs: windows, rules, schedules, invokers.

    \b
    Examples:
      runcancel triggers
      runcancel triggers -r all --document AWS-RunShellScript
      runcancel triggers --status enabled --starts-within 12h
      runcancel triggers --script "rm -rf /var/cache" -o json

    What starts next comes first. Maintenance windows, EventBridge rules and TAT
    invokers can be disabled: runcancel disable. EventBridge Scheduler schedules and
    State Manager associations are listed only; -o wide shows the reason and a
    command to inspect them. Runs that are schedules themselves (Alibaba Cloud) are
    in runcancel list. An SSM command does not report what started it.

    Exit codes: 0 listed, 4 every scope refused the credentials, 7 incomplete.
    """
    query = filters.query()
    searched = scopes_to_search(session)
    scopes = tuple(one for one in searched if provider(one.provider).trigger_kinds)
    gaps: list[Problem] = list(unusable(session.settings))
    answering: set[Scope] = set()
    rows: list[Trigger] = []
    with session.search_count() as count:
        for one in find_triggers(scopes, query, session.clouds, session.workers, answering=answering, count=count):
            if isinstance(one, Trigger):
                rows.append(one)
            else:
                gaps.append(one)
    most = session.limit(limit, _SHOWN)
    answer = session.writer("triggers")
    shown = sorted(rows, key=_soonest)[: most or None]
    for row in shown:
        answer.row(row)
    real, notes = split_gaps(gaps, scopes)
    replies = Searched(gaps=tuple(gap.code for gap in real), replied=bool(answering))
    code = exit_of_listing(replies, any_found=bool(rows))
    cut = len(shown) < len(rows)
    messages = [f"Showing {len(shown)} of {len(rows)} triggers. All: --limit 0"] if cut else []
    if not rows:
        messages += coverage(session, scopes, gaps, query)
    messages += _schedules(searched)
    next_ = session.suggest(*_first_to_disable(shown))
    answer.end(End(exit_code=code, errors=real, complete=not real, truncated=cut, notes=(*messages, *notes, *next_)))
    return code


def _schedules(scopes: Sequence[Scope]) -> Iterator[str]:
    """How to find what starts runs and is a run itself."""
    for name in dict.fromkeys(scope.provider for scope in scopes):
        kinds = [kind.name for kind in provider(name).kinds if kind.may_repeat]
        if kinds:
            find = command("list", "-p", name, "--kind", ",".join(kinds), "--include-schedules", "-o", "wide")
            yield f"{provider(name).title}: runs that repeat are their own schedules, and a cancel ends them: {find}"


def _first_to_disable(shown: Sequence[Trigger]) -> Iterator[str]:
    for one in shown:
        if one.state is TriggerState.ENABLED and one.fixed_because is None:
            yield f"To preview disabling the next to start: {command('disable', str(one.ref), '--dry-run')}"
            return


def _soonest(trigger: Trigger) -> tuple[bool, datetime, str]:
    return trigger.state is TriggerState.DISABLED, trigger.next_start_at or _NEVER, str(trigger.ref)
