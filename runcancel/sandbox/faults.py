"""Rules that make the pretended clouds fail the way real ones do."""

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runcancel.sandbox import limits
from runcancel.sandbox.wire import Call, Document

# What each kind may be told, with the value when it is not.
KINDS: dict[str, dict[str, Any]] = {
    "throttle": {"retry_after": None},
    **{kind: dict(options) for kind, options in limits.KINDS.items()},
    "too-large": {"most": 10},
    "http-500": {"html": False, "effect": False},
    "http-503": {"html": False, "effect": False},
    "denied": {},
    "expired": {},
    "skew": {},
    "error": {"code": "InternalError", "status": 200, "message": "made by a fault", "effect": False},
    "not-stoppable": {"effect": True},
    "drop-before": {},
    "drop-after": {},
    "stale": {},
    "hang": {"seconds": 3600.0, "effect": True},
    "latency": {"ms": 200.0},
    "drip": {"seconds": 2.0},
    "half-json": {},
    "cut": {"effect": True},
    "html-200": {"effect": False},
    "empty-object-200": {"effect": False},
    "empty-body-200": {"effect": False},
    "charset": {},
    "odd-type": {"type": "text/html; charset=utf-8"},
    "unknown-word": {"word": "HIBERNATING"},
    "stubborn": {},
    "ended-between": {},
    "duplicate-page": {"rows": 1},
    "missing-rows": {"rows": 1},
    "late-rows": {"rows": 1},
    "empty-page": {},
    "repeat-page": {},
    "empty-token": {},
    "repeat-token": {},
    "foreign-echo": {},
    "no-request-id": {},
}
_ALWAYS = {"after": 0, "chance": 1.0}
_DEFAULT_TIMES = {"late-rows": 2}


class BadFault(ValueError):
    """A fault rule that cannot be read."""


@dataclass(slots=True)
class Rule:
    """`times` is how often it still strikes (None: for ever), `after` how many matching calls it lets pass first."""

    kind: str
    provider: str = ""
    action: str = "*"
    run: str = ""
    region: str = ""
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    hits: int = 0
    passed: int = 0
    limiters: dict[limits.LimiterKey, limits.Limiter] = field(default_factory=dict)

    def option(self, name: str) -> Any:
        return self.options.get(name, KINDS[self.kind].get(name, _ALWAYS.get(name)))

    def matches(self, call: Call) -> bool:
        return (
            self.provider in ("", call.provider)
            and self.action in ("*", call.action)
            and self.region in ("", call.region)
            and (not self.run or self.run in call.texts())
            and (self.times is None or self.hits < self.times)
        )

    def strikes(self, call: Call, dice: random.Random) -> bool:
        self.passed += 1
        if self.kind in limits.KINDS and self._limiter(call).allows(time.monotonic()):
            return False
        if self.kind == "stale" and not call.reused:
            return False
        if self.kind == "too-large" and call.size() <= int(self.option("most")):
            return False
        if self.passed <= int(self.option("after")) or dice.random() >= float(self.option("chance")):
            return False
        self.hits += 1
        return True

    def _limiter(self, call: Call) -> limits.Limiter:
        key = (call.provider, call.account, call.region, call.action)
        if key not in self.limiters:
            self.limiters[key] = limits.limiter(self.kind, self.option)
        return self.limiters[key]

    def shown(self) -> Document:
        parts = {"provider": self.provider, "action": self.action, "run": self.run, "region": self.region}
        return {"kind": self.kind, **parts, "times": self.times, "hits": self.hits, **self.options}


def rule(raw: str | Mapping[str, Any]) -> Rule:
    """From `[provider:]Action[@run]=kind[*times][,key=value…]`, or from an object with the same words."""
    document = dict(_read(raw) if isinstance(raw, str) else raw)
    kind = str(document.pop("kind", ""))
    if kind not in KINDS:
        raise BadFault(f"no fault is called {kind!r}; there are {', '.join(KINDS)}")
    fields: dict[str, str] = {
        name: str(document.pop(name, "") or "") for name in ("provider", "action", "run", "region")
    }
    times = document.pop("times", _DEFAULT_TIMES.get(kind))
    document.pop("hits", None)
    unknown = document.keys() - KINDS[kind].keys() - _ALWAYS.keys()
    if unknown:
        raise BadFault(f"{kind} has no {', '.join(sorted(unknown))}; it has {', '.join([*KINDS[kind], *_ALWAYS])}")
    fields["action"] = fields["action"] or "*"
    result = Rule(kind=kind, times=None if times is None else int(times), options=document)
    result.provider, result.action = fields["provider"], fields["action"]
    result.run, result.region = fields["run"], fields["region"]
    return result


def _read(text: str) -> Document:
    subject, equals, rest = text.partition("=")
    if not equals:
        raise BadFault(f"{text!r} is not [provider:]Action[@run]=kind[*times][,key=value]")
    head, *options = rest.split(",")
    kind, _, times = head.partition("*")
    subject, _, run = subject.partition("@")
    provider, colon, action = subject.rpartition(":")
    fields: Document = {"kind": kind, "provider": provider if colon else "", "action": action, "run": run}
    if times:
        fields["times"] = _value(times)
    for option in options:
        key, _, value = option.partition("=")
        fields[key] = _value(value)
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
