"""Where a search looks, what one that found nothing has covered, and how to widen it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from runcancel.cli.options import check_kinds
from runcancel.cli.session import Session
from runcancel.config.search_scopes import SearchScope, excluded, home_region, search_scopes
from runcancel.config.settings import Settings
from runcancel.engine.search import kinds_of
from runcancel.errors import CREDENTIALS, CloudError, UsageError
from runcancel.model.queries import Query
from runcancel.model.runs import Problem, Scope
from runcancel.model.states import Fact, Reason
from runcancel.model.triggers import TriggerQuery
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.guarded import is_configured
from runcancel.render.screens.notes import by_account

_FACTS = {
    Fact.DOCUMENT: "what a run executes",
    Fact.SCRIPT: "the script of a run",
    Fact.STARTED_BY: "who started a run",
}
"""The facts that a filter needs from a listing, in words."""

_NAMED = 4  # regions of one account that are named
_ACCOUNTS = 6  # accounts that are named, and scopes that did not reply for one reason


def scopes_to_search(
    session: Session, within: Settings | None = None, *, kinds: frozenset[str] = frozenset()
) -> tuple[Scope, ...]:
    """Where to look without references. `-r all` asks each provider for its regions; the table stands in for it.

    `within` in place of the settings of the command line. Raises `UsageError` when nobody here has such `kinds`.
    """
    within = within or session.settings
    accounts = search_scopes(within)
    if left_out := excluded(within):
        session.notes.say(f"note: -r names no region of {', '.join(left_out)}; not searched")
    check_kinds(kinds, (account.provider for account in accounts))
    all_regions = _all_regions(session, [account for account in accounts if account.everywhere])
    scopes = tuple(
        Scope(provider=account.provider, region=region, context=account.context)
        for account in accounts
        for region in all_regions.get(account, account.regions)
    )
    session.begin_callers(scopes)
    return scopes


def _all_regions(session: Session, accounts: Sequence[SearchScope]) -> dict[SearchScope, tuple[str, ...]]:
    """The regions of each account, from its provider; those that could not be requested are left out."""

    def request(account: SearchScope) -> tuple[str, ...]:
        home = home_region(session.settings, account)
        try:
            cloud = session.clouds.at(Scope(provider=account.provider, region=home, context=account.context))
        except CloudError as error:
            if error.reason not in CREDENTIALS:
                raise
            return (home,)  # there are no credentials for any region: one of them shows why
        return cloud.regions()

    regions: dict[SearchScope, tuple[str, ...]] = {}
    if not accounts:
        return regions
    with session.search_count("read the regions of", "accounts") as count:
        count.begin(accounts)
        for done in session.workers.map(request, accounts, queue=lambda account: account):
            count.end(done.item)
            if done.error is None:
                regions[done.item] = done.value()
            elif not isinstance(done.error, CloudError | UsageError):  # what searches there will meet it again
                raise done.error
    return regions


def unsearched(scopes: Sequence[Scope], query: Query) -> tuple[str, ...]:
    """A note for each kind of runs that a filter cannot find, since its cloud does not list what the filter compares.

    Raises `UsageError` where that holds for every kind: nothing could ever be found.
    """
    kinds = {(scope.provider, kind.name): kind for scope in scopes for kind in kinds_of(scope, query)}
    missing = {key: query.facts - kind.lists for key, kind in kinds.items() if query.facts - kind.lists}
    notes = tuple(
        f"{name} {kind} not searched: {provider(name).title} does not list {_facts(facts)}"
        for (name, kind), facts in missing.items()
    )
    if query.kinds and not query.include_schedules:
        notes += tuple(
            f"{name} {kind.name}: runs that are schedules are left out (--include-schedules)"
            for (name, _), kind in kinds.items()
            if kind.may_repeat and kind.by_kind_only
        )
    if notes and len(missing) == len(kinds):
        hint = "who started a run: runcancel status --who REF" if Fact.STARTED_BY in query.facts else None
        raise UsageError(f"{'; '.join(notes)}; nothing was sent", hint=hint)
    return notes


def _facts(facts: Iterable[Fact]) -> str:
    return " and ".join(_FACTS[fact] for fact in sorted(facts))


def coverage(
    session: Session,
    scopes: Sequence[Scope],
    gaps: Sequence[Problem],
    query: Query | TriggerQuery,
    *,
    also: str = "",
) -> tuple[str, ...]:
    """Lines for a person: what was searched and what was not, and the options that search more; none in a pipe.

    `also` follows the first statement, that no run or no trigger matches.
    """
    if not session.err.is_terminal:
        return ()
    silent = {gap.scope for gap in gaps}
    searched = ", ".join(_regions_by_account([scope for scope in scopes if str(scope) not in silent]))
    triggers = isinstance(query, TriggerQuery)
    possible = [name for name in PROVIDERS if not triggers or provider(name).trigger_kinds]
    unsearched_kinds = () if isinstance(query, TriggerQuery) or not searched else _by_kind_only(scopes, query)
    missing = ", ".join((*_refused(gaps), *_left_out(session, scopes, gaps, possible), *unsearched_kinds))
    where = " in the scopes that replied" if gaps else ""
    nothing = f"No {'triggers' if triggers else 'runs'} match{where}{also}. Searched {searched}"
    if not searched:
        return (f"Nothing was searched{also}" + (f"; not searched: {missing}." if missing else "."),)
    line = f"{nothing}; not searched: {missing}." if missing else f"{nothing}."
    hints = "; ".join(_hints(session, query))
    return (line, f"{hints[:1].upper()}{hints[1:]}") if hints else (line,)


def _by_kind_only(scopes: Sequence[Scope], query: Query) -> Iterator[str]:
    """The kinds of the searched providers that are searched only if they are named."""
    if query.kinds:
        return
    for name in dict.fromkeys(scope.provider for scope in scopes):
        yield from (f"{name} {kind.name} (--kind {kind.name})" for kind in provider(name).kinds if kind.by_kind_only)


def _regions_by_account(scopes: Sequence[Scope]) -> Iterator[str]:
    accounts = {(scope.provider, scope.context) for scope in scopes}
    if len(accounts) > _ACCOUNTS:
        yield f"{len(scopes):,} scopes of {len(accounts):,} accounts"
        return
    for account, group in groupby(scopes, key=lambda scope: _account(scope.provider, scope.context)):
        regions = [scope.region for scope in group]
        if len(regions) > _NAMED:
            yield f"{account} ({len(regions)} regions)"
        else:
            yield from (f"{account} {region}" for region in regions)


def _refused(gaps: Sequence[Problem]) -> Iterator[str]:
    """Scopes that did not reply, by reason; many of one account, and many accounts, are one part of the sentence."""
    scopes: dict[Reason, list[str]] = {}
    for gap in gaps:
        if gap.scope is not None:
            scopes.setdefault(gap.code, []).append(gap.scope)
    for code, names in scopes.items():
        parts = list(by_account(list(dict.fromkeys(names))))
        why = code.replace("_", " ")
        yield from (f"{part.replace(':', ' ', 1)} ({why})" for part in parts[:_ACCOUNTS])
        if len(parts) > _ACCOUNTS:
            yield f"{len(parts) - _ACCOUNTS:,} more ({why})"


def _left_out(
    session: Session, scopes: Sequence[Scope], gaps: Sequence[Problem], possible: Sequence[str]
) -> Iterator[str]:
    """Those of the `possible` providers that were not left out by name and were not searched."""
    scope_settings = session.settings
    if scope_settings.providers.value or scope_settings.contexts.value:
        yield from (f"{name} (no region in -r)" for name in excluded(scope_settings) if name in possible)
        return
    there = {scope.provider for scope in scopes}
    there |= {(gap.scope or "").rpartition("@")[2].partition(":")[0] for gap in gaps}
    for name in possible:
        if name not in there:
            yield f"{name} ({'no region in -r' if is_configured(name, scope_settings.environ) else 'not configured'})"


def _hints(session: Session, query: Query | TriggerQuery) -> Iterator[str]:
    if query.name is not None:
        yield "patterns need --name-glob"
    if not any(word == "all" or word.endswith(":all") for word in session.settings.regions.value):
        yield "every region: -r all"
    if isinstance(query, Query) and query.states and not any(state.over for state in query.states):
        yield "ended runs: --status all"


def _account(provider: str, context: str | None) -> str:
    return provider if context is None else f"{context}@{provider}"
