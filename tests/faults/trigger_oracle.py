"""What must be true of every change of triggers, whatever went wrong: judged by the truth of the sandbox."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from outside import Done

from .oracle import storms
from .trigger_cases import CHANGES, SWITCHES, WRITES, Played, kind_of

GOOD = frozenset({"disabled", "enabled", "unchanged"})
BAD = frozenset({"failed", "drifted", "skipped"})
_KEYS = frozenset({"no_credentials", "expired_credentials", "bad_credentials", "denied"})
_TRANSIENT = frozenset(
    {
        *("throttle", "http-500", "http-503", "error", "drop-before", "drop-after", "latency", "drip", "half-json"),
        *("cut", "html-200", "empty-object-200", "empty-body-200", "charset", "odd-type", "no-request-id"),
    }
)
"""Faults that time mends."""


def lies(played: Played) -> list[str]:
    """Every broken promise, in words; empty when there is none."""
    return list(_all(played))


def _all(played: Played) -> Iterator[str]:
    yield from stream_lies(played.done, played.requests)
    yield from _requests(played)
    yield from _outcomes(played)
    yield from (f"{ref}: never sent, and nothing stood in its way" for ref in left_unsent(played))
    if played.resumed is not None:
        yield from _resumed(played, played.resumed)
    if played.restored is not None:
        yield from _restored(played, played.restored)
    expected = _code(played)
    if played.done.code not in expected:
        yield f"exit {played.done.code}, by the table {sorted(expected)}"


def stream_lies(done: Done, requests: Sequence[Any]) -> Iterator[str]:
    """What no command prints, whatever went wrong."""
    if "Traceback" in done.out + done.err:
        yield "a traceback"
    if "internal error" in done.err:
        yield "an internal error"
    if done.code != 0 and not done.err.strip():
        yield "it failed and stderr is empty"
    if any(one["error"] == "SandboxBug" for one in requests):
        yield "a bug of the sandbox"


def ref_of(request: Any) -> str:
    """The trigger that a request would switch."""
    params, region = request["params"], request["region"]
    if "WindowId" in params:
        return f"aws:{region}:window/{params['WindowId']}"
    if "InvokerId" in params:
        return f"tencent:{region}:invoker/{params['InvokerId']}"
    return f"aws:{region}:rule/{params.get('EventBusName', 'default')}/{params.get('Name')}"


def writes_to(played: Played, ref: str) -> list[Any]:
    """The requests that would switch a trigger."""
    return [one for one in played.requests if one["action"] in WRITES and ref_of(one) == ref]


def _requests(played: Played) -> Iterator[str]:
    writes = [one for one in played.requests if one["action"] in WRITES]
    allowed = set(SWITCHES[played.case.verb].values()) if played.case.story in CHANGES else set()
    yield from (f"{one['action']} was sent" for one in writes if one["action"] not in allowed)
    for ref, state in played.after.items():
        mine = writes_to(played, ref)
        if mine and ref not in _selected(played):
            yield f"{ref}: switched, and nobody selected it"
        if mine and ref in played.drifted:
            yield f"{ref}: others changed it, and it was switched"
        if sum(bool(one["effective"]) for one in mine) > 1:
            yield f"{ref}: switched more than once"
        if state is not played.before[ref] and not mine:
            yield f"{ref}: changed by nobody"
        yield from _again_without_a_look(played, ref)
    if len(played.requests) > 60 + 80 * len(played.refs):
        yield f"{len(played.requests)} requests"
    yield from storms(played.requests)


def _again_without_a_look(played: Played, ref: str) -> Iterator[str]:
    """After a reply that leaves doubt a trigger is read before it is switched again."""
    doubtful: Any = None
    reads = {"window": "GetMaintenanceWindow", "rule": "DescribeRule", "invoker": "DescribeInvokers"}[kind_of(ref)]
    for one in played.requests:
        if one["action"] == reads:
            doubtful = None
        elif one["action"] in WRITES and ref_of(one) == ref:
            if doubtful is not None:
                yield f"{ref}: switched again after {doubtful['faults'] or doubtful['error']} without a look"
            doubtful = None if "hrottl" in (one["error"] or "") or "LimitExceeded" in (one["error"] or "") else one


def _selected(played: Played) -> frozenset[str]:
    rule = "aws:us-east-2:rule/default/nightly-cleanup"
    return frozenset({rule} if played.case.story == "filter" else played.refs)


def _outcomes(played: Played) -> Iterator[str]:
    document = played.done.document
    if played.case.story not in CHANGES:
        for one in document["triggers"]:
            trigger = one.get("before", one)
            state = played.after.get(trigger["ref"])
            if state is not None and trigger["state"] == ("disabled" if state else "enabled"):
                yield f"{trigger['ref']}: printed {trigger['state']}, and it is not"
        return
    counts = Counter(one["trigger"] for one in document["outcomes"])
    yield from (f"{ref}: {count} outcomes" for ref, count in counts.items() if count > 1)
    yield from (f"{ref}: an outcome, and nobody selected it" for ref in counts if ref not in _selected(played))
    if document["outcomes"] and played.case.story in ("disable", "enable"):
        yield from (f"{ref}: no outcome" for ref in played.refs if ref not in counts)
    for one in document["outcomes"]:
        yield from (f"{one['trigger']}: {lie}" for lie in outcome_lies(played, one))


def outcome_lies(played: Played, outcome: Any) -> Iterator[str]:
    """What is claimed of one trigger and is not true."""
    ref, verdict = outcome["trigger"], outcome["verdict"]
    goal = played.case.verb == "enable"
    state = played.after.get(ref, not goal)
    writes = writes_to(played, ref)
    if verdict in GOOD and state is not goal:
        yield f"said {verdict}, and it is not"
    if verdict in ("disabled", "enabled") and outcome["after"]["state"] != verdict:
        yield f"said {verdict}, and the reading beside it shows {outcome['after']['state']}"
    if verdict == "unchanged" and played.before[ref] is not goal:
        yield "said unchanged, and it was switched"
    if verdict == "requested" and not any(one["effective"] or one["error"] is None for one in writes):
        yield "said requested, and no request was ever accepted"
    if verdict == "failed" and any(one["effective"] for one in writes):
        yield "said failed, which means certainly not accepted, and it was accepted"
    if verdict in ("skipped", "drifted") and writes:
        yield f"said {verdict}, and a request was sent"
    if verdict == "drifted" and ref not in played.drifted:
        yield "said drifted, and nobody changed it"
    before = outcome["before"]
    if before is not None and before["state"] == ("disabled" if played.before[ref] else "enabled"):
        yield f"before is {before['state']}, and it was not"
    if verdict in ("failed", "skipped", "drifted") and outcome["error"] is None:
        yield f"{verdict} without an error"


def left_unsent(played: Played) -> list[str]:
    """Triggers that were typed and are not as wanted, for which no request left though what failed was soon over.

    What cannot be read is not switched: whether it starts other things is not known, nor what a restore would have to
    enable. So a read that is refused or fails for ever excuses.
    """
    if played.case.story not in ("disable", "enable") or "with an unknown effect" in played.done.err:
        return []  # what may not be listed wants a number, and nobody typed one
    goal = played.case.verb == "enable"
    open_ones = [ref for ref in played.refs if played.before[ref] is not goal and ref not in played.drifted]
    return [ref for ref in open_ones if not writes_to(played, ref) and not _excused(played, ref)]


def _excused(played: Played, ref: str) -> bool:
    """Whether the faults on its readings outlast --lookup-timeout, or its cloud refuses the keys of another request."""
    cloud, _, _ = ref.partition(":")
    of_its_cloud = [rule.partition("=") for rule in played.case.faults if rule.startswith(f"{cloud}:")]
    if any(re.split("[,*]", what)[0] in _REFUSES_KEYS for _, _, what in of_its_cloud):
        return True
    faults = [what for where, _, what in of_its_cloud if where.partition(":")[2] not in WRITES]
    return sum(map(_strikes, faults)) > _PASSING_STRIKES


_REFUSES_KEYS = frozenset({"expired", "skew"})
"""Faults after which nothing more is sent with the same keys."""


_PASSING_STRIKES = 4
"""So many readings may fail within --lookup-timeout 10, and the next one succeeds."""


def _strikes(fault: str) -> float:
    """How many readings a fault spoils; without end for one that time does not mend."""
    name, *options = fault.split(",")
    kind, _, times = name.partition("*")
    waits = any(option.startswith("retry_after") for option in options)
    return int(times) if times and kind in _TRANSIENT and not waits else math.inf


def _resumed(played: Played, again: Done) -> Iterator[str]:
    """When nothing fails any more, a resume ends what the operation holds, and says so."""
    yield from (f"the resume: {lie}" for lie in stream_lies(again, played.requests))
    if again.code not in (0, 3 if played.drifted else 0, 1 if played.drifted else 0):
        yield f"the resume ended with {again.code}"
    goal = played.case.verb == "enable"
    for one in played.done.document["outcomes"]:
        ref = one["trigger"]
        sendable = one["before"] is not None and one["verdict"] not in ("drifted", "skipped")
        if sendable and played.after_resume.get(ref) is not goal:
            yield f"{ref}: the resume left it {'disabled' if goal else 'enabled'}"
    wrong = [ref for ref, state in played.after_resume.items() if state != played.after[ref] and state is not goal]
    yield from (f"{ref}: the resume undid it" for ref in wrong)


def _restored(played: Played, restored: Done) -> Iterator[str]:
    """A restore enables exactly what was enabled before.

    A rule whose targets read otherwise now may have been changed: for who reads, rows that were hidden are new.
    """
    yield from (f"the restore: {lie}" for lie in stream_lies(restored, played.requests))
    differs = {
        one["trigger"]
        for one in restored.document.get("outcomes", [])
        if one["verdict"] == "drifted" and kind_of(one["trigger"]) == "rule" and _hides_targets(played)
    }
    if restored.code != (3 if differs and len(differs) < len(restored.document["outcomes"]) else 1 if differs else 0):
        yield f"the restore ended with {restored.code}"
    by_name = played.refs if played.case.story == "enable" else ()
    for ref, state in played.at_last.items():
        if state is not (played.at_first[ref] or ref in by_name) and ref not in differs:
            yield f"{ref}: after the restore it is {'enabled' if state else 'disabled'}"


def _hides_targets(played: Played) -> bool:
    """Whether a reading of the targets of a rule lacked rows."""
    hiding = {"missing-rows", "late-rows", "empty-page"}
    return any(one["action"] == "ListTargetsByRule" and hiding & set(one["faults"]) for one in played.requests)


def _code(played: Played) -> frozenset[int]:
    """The exit code by the table in docs/exit-codes.md."""
    document = played.done.document
    codes = [error["code"] for error in document["errors"]]
    outcomes = document.get("outcomes")
    if outcomes:
        return frozenset({_code_of_change(outcomes, complete=document["complete"], waited=played.case.wait)})
    if {"refused", "usage"} & set(codes):
        return frozenset({6 if "refused" in codes else 2})
    if played.case.story in ("triggers", "filter"):
        return frozenset({4, 7} if codes and set(codes) <= _KEYS else {7 if codes else 0})
    return frozenset({_code_of_errors(codes, otherwise=7) if codes else 0})


def _code_of_change(outcomes: list[Any], *, complete: bool, waited: bool) -> int:
    verdicts = [one["verdict"] for one in outcomes]
    bad = [one for one in outcomes if one["verdict"] in BAD]
    if bad and len(bad) < len(verdicts):
        return 3
    if bad:
        return _code_of_errors([one["error"]["code"] for one in bad], otherwise=1)
    if "in-doubt" in verdicts or ("requested" in verdicts and waited):
        return 8
    return 0 if complete else 7


def _code_of_errors(codes: list[str], *, otherwise: int) -> int:
    sorts = {4 if code in _KEYS else 5 if code == "not_found" else otherwise for code in codes}
    return sorts.pop() if len(sorts) == 1 else otherwise
