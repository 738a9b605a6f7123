"""What must be true of every command, whatever went wrong: judged by the sandbox's truth, not by the program's code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from outside import Done, id_of

from .cases import PARTS, Played

OVER = frozenset({"cancelled", "terminated", "succeeded", "failed", "timed_out", "undelivered", "skipped"})
_TRUE_OVER = OVER | {"task_timeout", "start_failed", "invalid", "error", "max_errors"}
_STOPPED = frozenset({"cancelled", "terminated"})
_KEYS = frozenset({"no_credentials", "expired_credentials", "bad_credentials", "denied"})
_CERTAINLY_NOTHING = _KEYS | {"busy", "unreachable", "not_found"}
_KILLS = frozenset({"aws/command", "aws/automation", "alibaba/invocation", "tencent/invocation"})
_HIDES_ROWS = frozenset({"missing-rows", "late-rows", "empty-page", "unknown-word"})
_HIDES_ANSWERS = frozenset(
    {"half-json", "cut", "html-200", "empty-object-200", "empty-body-200", "drop-before", "drop-after", "hang"}
)
_KEEPS_IT_BACK = _HIDES_ROWS | {"expired", "skew", "odd-type", "repeat-token", "repeat-page", "duplicate-page"}
_CANCELS = frozenset({"cancel", "filter", "target"})
_UNSTOPPABLE = frozenset({"stubborn", "ended-between"})


def lies(played: Played) -> list[str]:
    """Every broken promise, in words; empty when there is none."""
    return list(_all(played))


def _all(played: Played) -> Iterator[str]:
    yield from _streams(played)
    yield from _requests(played)
    if played.done.document.get("outcomes"):
        yield from _outcomes(played)
    elif played.case.verb in _CANCELS:
        yield from _refused(played)
    else:
        yield from _reading(played)
    yield from (f"{ref}: never sent, and nothing stood in its way" for ref in left_unsent(played))
    if played.resumed is not None:
        yield from _resumed(played, played.resumed)
    if played.seconds > most_seconds(played):
        yield f"it took {played.seconds:.0f} s"
    expected = _code(played)
    if played.done.code not in expected:
        yield f"exit {played.done.code}, by the table {sorted(expected)}"


def left_unsent(played: Played) -> list[str]:
    """Runs that were typed and open, for which no cancel left though their own cloud let one through.

    Reads that fail or are denied are no reason: such a run is cancelled unseen. What hides the run from a reading that
    succeeds, and credentials that are refused, are.
    """
    if played.case.verb != "cancel":
        return []
    sent = set().union(*(_texts(one["params"]) for one in played.writes), set())
    return [
        ref
        for ref in played.refs
        if _was_open(played, ref)
        and id_of(ref) not in sent
        and not _faults_of(played, ref.partition(":")[0]) & _KEEPS_IT_BACK
    ]


def _faults_of(played: Played, provider: str) -> set[str]:
    """The bare kinds of the faults that strike one cloud."""
    rules = (rule.partition("=") for rule in played.case.faults)
    return {
        what.partition(",")[0].partition("*")[0]
        for where, _, what in rules
        if where.partition(":")[0] in (provider, "*")
    }


def most_seconds(played: Played) -> float:
    """Nothing takes for ever: a look of 6 s, tries of 8 s, a reading of 15 s before the last; a hung socket is 20 s."""
    return 150.0 if "hang" in played.case.kinds_of_faults else 90.0


def _resumed(played: Played, again: Done) -> Iterator[str]:
    """When nothing fails any more, a resume brings every run of the operation to its end, and asks nothing twice."""
    if "Traceback" in again.err or again.code not in (0, 3, 8):
        yield f"the resume failed: {again}"
    for ref, truth in played.truth_resumed.items():
        twice = [one["id"] for one in truth["targets"] if one["cancels"] > 1]
        if twice:
            yield f"{ref}: cancelled more than once by a resume: {twice}"
    first = {one["run"]: one for one in played.done.document["outcomes"]}
    last = {one["run"]: one for one in again.document["outcomes"]}
    for ref, outcome in first.items():
        if ref not in played.refs or outcome["error"] is None or outcome["before"] is None:
            continue  # what could not be looked at is in no operation
        if outcome["verdict"] in ("failed", "skipped", "requested", "in-doubt") and ref not in last:
            yield f"{ref}: {outcome['verdict']}, and the resume did not go on with it"
        waits = {"pending", "running", "cancelling"} if kind_of(ref) in _KILLS else {"pending"}
        left = [one for one in played.truth_resumed[ref]["targets"] if one["state"] in waits]
        chosen = [one for one in left if not played.selected or one["id"] in played.selected]
        if chosen and not played.case.kinds_of_faults & _UNSTOPPABLE and not _stays(played, ref):
            yield f"{ref}: {len(chosen)} targets left after the resume"


def _stays(played: Played, ref: str) -> bool:
    (spec,) = (spec for (_, spec), each in zip(played.case.runs, played.refs, strict=True) if each == ref)
    return spec.get("terminates") is False


def _streams(played: Played) -> Iterator[str]:
    done = played.done
    if "Traceback" in done.out + done.err:
        yield "a traceback"
    if "internal error" in done.err:
        yield "an internal error"
    if done.code != 0 and not done.err.strip():
        yield "it failed and stderr is empty"
    if any(one["error"] == "SandboxBug" for one in played.requests):
        yield "a bug of the sandbox"


def _requests(played: Played) -> Iterator[str]:
    """Who only reads writes nothing; nothing is asked twice, nor in doubt without a look, nor in a storm."""
    writing = played.case.verb in _CANCELS
    if played.writes and not writing:
        yield "a command that only reads has written"
    for ref in played.refs:
        yield from _asked_again(played, ref)
        twice = [one["id"] for one in played.truth[ref]["targets"] if one["cancels"] > 1]
        if twice:
            yield f"{ref}: cancelled more than once: {twice}"
    most = 60 + 60 * len(played.refs) + (150 if played.case.verb == "regions" else 0)
    if len(played.requests) > most:
        yield f"{len(played.requests)} requests, {most} would do"
    if played.case.limits:
        yield from _too_fast(played)
    yield from storms(played.requests)


def _asked_again(played: Played, ref: str) -> Iterator[str]:
    doubtful: Any = None
    for one in played.requests:
        if id_of(ref) not in _texts(one["params"]):
            continue
        if one not in played.writes:
            doubtful = None
        elif doubtful is not None and not _disjoint(doubtful, one):
            yield f"{ref}: asked again after {doubtful['faults'] or doubtful['error']} without a look"
        else:
            clear = _throttled(one) and not _HIDES_ANSWERS & set(one["faults"])
            doubtful = None if clear else one


def _throttled(request: Any) -> bool:
    return "hrottl" in (request["error"] or "") or request["error"] == "RequestLimitExceeded"


def _disjoint(before: Any, after: Any) -> bool:
    """Whether two requests were about different targets of a run."""
    one, other = (_instances(each["params"]) for each in (before, after))
    return bool(one) and bool(other) and not one & other


def _instances(params: Mapping[str, Any]) -> set[str]:
    return {each for name in ("InstanceIds", "InstanceId") for each in _texts(params.get(name) or [])}


def _too_fast(played: Played) -> Iterator[str]:
    """The sandbox refuses above the documented rate; two refusals may be the jitter of a loaded machine."""
    refused = Counter(
        (one["region"], one["action"]) for one in played.requests if _throttled(one) and "throttle" not in one["faults"]
    )
    for (region, action), count in refused.items():
        if count > 2:
            yield f"{action} in {region} was asked {count} times above its documented rate"


def storms(requests: Sequence[Any]) -> Iterator[str]:
    """Credentials that are refused are not tried again and again."""
    for provider in ("aws", "alibaba", "tencent"):
        mine = [one for one in requests if one["provider"] == provider]
        for action in {one["action"] for one in mine}:
            bad = [one for one in mine if one["action"] == action and {"expired", "skew"} & set(one["faults"])]
            places = len({one["region"] for one in bad})
            if len(bad) > 8 * places:
                yield f"{action}: {len(bad)} requests with credentials known to be refused"


def _outcomes(played: Played) -> Iterator[str]:
    document = played.done.document
    told = Counter(one["run"] for one in document["outcomes"])
    for ref, count in told.items():
        if count > 1 or (ref not in played.refs and played.case.verb != "filter"):
            yield f"{ref}: {count} outcomes"
    everything = document["complete"] and not played.case.kinds_of_faults & _HIDES_ROWS
    wanted = [ref for ref in played.refs if played.case.verb != "filter" or (everything and _was_open(played, ref))]
    yield from (f"{ref}: no outcome" for ref in wanted if ref not in told)
    for outcome in document["outcomes"]:
        if outcome["run"] in played.refs:
            yield from (f"{outcome['run']}: {lie}" for lie in _outcome(played, outcome))
        if outcome["verdict"] in ("failed", "skipped") and outcome["error"] is None:
            yield f"{outcome['run']}: {outcome['verdict']} without an error"


def _was_open(played: Played, ref: str) -> bool:
    (spec,) = (spec for (_, spec), each in zip(played.case.runs, played.refs, strict=True) if each == ref)
    return bool({"pending", "running"} & spec["targets"].keys())


def _outcome(played: Played, outcome: Any) -> Iterator[str]:
    truth = played.truth[outcome["run"]]
    chosen = [one for one in truth["targets"] if not played.selected or one["id"] in played.selected]
    over = all(one["state"] in _TRUE_OVER for one in chosen) and (bool(played.selected) or truth["state"] in _TRUE_OVER)
    writes = [one for one in played.writes if id_of(outcome["run"]) in _texts(one["params"])]
    reached = [one for one in writes if one["effective"] or one["error"] is None]
    verdict, error = outcome["verdict"], outcome["error"]
    if verdict in ("stopped", "ended", "reported") and not over and not _drains(outcome):
        yield f"said {verdict}, in truth {_told(truth)}"
    if verdict == "stopped" and not reached and truth["state"] not in _STOPPED:
        yield "said stopped, and no cancel was ever accepted"
    if verdict in ("requested", "partial") and not reached:
        yield f"said {verdict}, and no cancel was ever accepted"
    if verdict == "failed" and any(one["effective"] for one in writes):
        yield "said failed, which means certainly not accepted, and it was accepted"
    if verdict == "stopped" and any(
        not row["confirmed"] and row["effect"] in _STOPPED for row in outcome["invocations"]
    ):
        yield "said stopped, and a stop is only reported"
    if verdict == "skipped" and writes:
        yield "said not asked, and was asked"
    denies = verdict == "failed" and error["code"] in _CERTAINLY_NOTHING and not outcome["request_ids"]
    if denies and any(one["effective"] for one in writes):
        yield f"failed with {error['code']}, which means nothing was done, and something was"
    if outcome["after"] in OVER and not played.selected and truth["state"] not in _TRUE_OVER:
        yield f"after is {outcome['after']}, in truth {truth['state']}"
    yield from _effects(outcome, truth, chosen)
    never_read = (
        outcome["before"] == "unknown" and outcome["after"] is None
    )  # cancelled unseen: nobody knows its targets
    listed = verdict != "failed" and not never_read and not played.case.kinds_of_faults & _HIDES_ROWS
    if listed and kind_of(outcome["run"]) in PARTS:
        yield from _rows(outcome["invocations"], chosen)


def _drains(outcome: Any) -> bool:
    """A window may be over for its cloud while rows read `unknown`: that is said as it is."""
    return any(one["effect"] == "unknown" for one in outcome["invocations"])


def _effects(outcome: Any, truth: Any, chosen: list[Any]) -> Iterator[str]:
    states = {one["id"]: one["state"] for one in chosen}
    for row in outcome["invocations"]:
        state = states.get(row["target"])
        effect, confirmed = row["effect"], row["confirmed"]
        if state is None or kind_of(outcome["run"]) not in PARTS:
            continue
        if effect in _STOPPED and confirmed and effect != state:
            yield f"{row['target']}: said {effect}, in truth {state}"
        if effect == "kept-running" and state in _TRUE_OVER:
            yield f"{row['target']}: said kept-running, in truth {state}"
        if effect == "already-ended" and state not in _TRUE_OVER:
            yield f"{row['target']}: said already-ended, in truth {state}"
    claims = [row for row in outcome["invocations"] if row["effect"] in _STOPPED and row["confirmed"]]
    claimed = sum(row["target"] is not None for row in claims)
    stopped = sum(one["state"] in _STOPPED | {"skipped"} for one in truth["targets"])
    if claimed > stopped:
        yield f"{claimed} confirmed as stopped, in truth {stopped}"


def _rows(rows: list[Any], chosen: list[Any]) -> Iterator[str]:
    shown = Counter(row["target"] for row in rows if row["target"] is not None)
    twice = [target for target, count in shown.items() if count > 1]
    missing = [one["id"] for one in chosen if one["id"] not in shown]
    if twice:
        yield f"rows twice: {twice[:3]}"
    if missing:
        yield f"no row for {len(missing)} of {len(chosen)} targets: {missing[:3]}"


def _refused(played: Played) -> Iterator[str]:
    if played.writes:
        yield "it ended without outcomes, and something was sent"
    nothing_found = played.case.verb == "filter" and not any(_was_open(played, ref) for ref in played.refs)
    hidden = bool(played.case.kinds_of_faults & _HIDES_ROWS)
    if not (played.done.document.get("errors") or nothing_found or hidden):
        yield "it ended without outcomes and without an error"


def _reading(played: Played) -> Iterator[str]:
    document, verb = played.done.document, played.case.verb
    hidden = bool(played.case.kinds_of_faults & _HIDES_ROWS)
    failed = {error["ref"] for error in document["errors"]}
    shown = Counter(one["run"] if verb in ("dry-run", "invocations") else one["ref"] for one in _listing(document))
    if verb == "invocations":
        for ref in played.refs:
            mine = [row for row in document["invocations"] if row["run"] == ref]
            if ref not in failed and not hidden and kind_of(ref) in PARTS:
                yield from (f"{ref}: {lie}" for lie in _rows(mine, played.truth[ref]["targets"]))
        return
    for ref, count in shown.items():
        if count > 1:
            yield f"{ref}: shown {count} times"
    listing = verb in ("list", "regions")
    wanted = [ref for ref in played.refs if not listing or _was_open(played, ref)]
    if not listing or (document["complete"] and not hidden):
        yield from (f"{ref}: no row and no error" for ref in wanted if ref not in shown and ref not in failed)
    for run in document.get("runs", ()):
        truth = played.truth.get(run["ref"])
        if truth is not None and run["state"] in OVER and truth["state"] not in _TRUE_OVER:
            yield f"{run['ref']}: said {run['state']}, in truth {truth['state']}"
        if truth is not None and verb == "status" and not hidden and kind_of(run["ref"]) in PARTS:
            counted = Counter(one["state"] for one in truth["targets"])
            if run["counts"] != dict(counted):
                yield f"{run['ref']}: counts {run['counts']}, in truth {dict(counted)}"


def _listing(document: Any) -> list[Any]:
    found: list[Any] = next(document[key] for key in ("runs", "invocations", "plan") if key in document)
    return found


def _code(played: Played) -> frozenset[int]:
    """The exit code by the table in docs/exit-codes.md, read by somebody else than the program's author."""
    document = played.done.document
    codes = [error["code"] for error in document["errors"]]
    if document.get("outcomes"):
        return frozenset({_code_of_cancel(document, waited=played.case.wait)})
    if "refused" in codes:
        return frozenset({6})
    if "usage" in codes:
        return frozenset({2})
    if played.case.verb in ("list", "regions", "filter"):  # nothing but gaps
        every = bool(codes) and set(codes) <= _KEYS and not document.get("runs")
        return frozenset({4, 7} if every else {7 if codes else 0})
    if played.case.verb == "wait":
        if any(run["state"] in OVER - _STOPPED for run in document["runs"]):
            return frozenset({9})
        if {"timed_out", "unconfirmed"} & set(codes):
            return frozenset({8})
    return frozenset({_code_of_errors(codes, otherwise=7) if codes else 0})


def _code_of_errors(codes: list[str], *, otherwise: int) -> int:
    sorts = {4 if code in _KEYS else 5 if code == "not_found" else otherwise for code in codes}
    return sorts.pop() if len(sorts) == 1 else otherwise


def _code_of_cancel(document: Any, *, waited: bool) -> int:
    verdicts = [one["verdict"] for one in document["outcomes"]]
    bad = [one for one in document["outcomes"] if one["verdict"] in ("failed", "skipped")]
    if "partial" in verdicts or (bad and len(bad) < len(verdicts)):
        return 3
    if bad:
        return _code_of_errors([one["error"]["code"] for one in bad], otherwise=1)
    if {"in-doubt", "reported"} & set(verdicts) or ("requested" in verdicts and waited):
        return 8
    return 0 if document["complete"] else 7


def kind_of(ref: str) -> str:
    """`provider/kind` of a full reference."""
    place, _, _ = ref.rpartition("/")
    provider, *_, kind = place.split(":")
    return f"{provider}/{kind}"


def _told(truth: Any) -> str:
    return f"{truth['state']} {dict(Counter(one['state'] for one in truth['targets']))}"


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return set().union(*map(_texts, value.values()))
    return set().union(*map(_texts, value)) if isinstance(value, (list, tuple)) else set()
