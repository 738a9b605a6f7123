"""The fault rules in force, and what each kind does to a call on its way."""

import json
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runcancel.sandbox.faults import Rule
from runcancel.sandbox.limits import KINDS
from runcancel.sandbox.wire import Action, Call, Dialect, Document, Refusal, Reply
from runcancel.sandbox.world import Book, Run


class Board:
    """The rules in force."""

    def __init__(self, rules: Iterable[Rule], *, seed: int) -> None:
        self._rules = list(rules)
        self._dice = random.Random(seed)  # noqa: S311  chances that repeat
        self._lock = threading.Lock()

    def replace(self, rules: Iterable[Rule]) -> None:
        with self._lock:
            self._rules = list(rules)

    def shown(self) -> list[Document]:
        with self._lock:
            return [each.shown() for each in self._rules]

    def striking(self, call: Call) -> "Struck":
        with self._lock:
            return Struck([each for each in self._rules if each.matches(call) and each.strikes(call, self._dice)])


class Struck:
    """The rules that strike one call, in the order in which the call is handled."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = {each.kind: each for each in rules}
        self.kinds = tuple(self._rules)

    def _get(self, kind: str) -> Rule | None:
        return self._rules.get(kind)

    def seconds_before(self) -> float:
        latency = self._get("latency")
        return float(latency.option("ms")) / 1000 if latency else 0.0

    def keeps_from_effect(self) -> bool:
        """True when the call must not reach the world."""
        if _BEFORE_EFFECT & self._rules.keys():
            return True
        return any(each.option("effect") is False for each in self._rules.values())

    def refusal(self, dialect: Dialect, call: Call) -> Refusal | None:
        makers = ((_REFUSALS[kind], rule) for kind, rule in self._rules.items() if kind in _REFUSALS)
        return next((make(rule, dialect, call) for make, rule in makers), None)

    def bend_world(self, book: Book, action: Action, call: Call, now: float) -> None:
        if action.cancels:
            for run in _runs_named(book, call):
                if "stubborn" in self._rules:
                    run.mark_stubborn()
                if "ended-between" in self._rules:
                    run.finish(now)
        duplicate = self._get("duplicate-page")
        call.overlap = int(duplicate.option("rows")) if duplicate else 0
        if "repeat-page" in self._rules and call.params.get("Offset"):
            call.params = {**call.params, "Offset": 0}

    def bend_document(self, document: Document, action: Action, call: Call) -> Document:
        rows = _rows(document, action)
        hidden = self._get("missing-rows") or self._get("late-rows")
        if hidden and rows:
            del rows[-int(hidden.option("rows")) :]
        if "empty-page" in self._rules:
            rows.clear()
        if "unknown-word" in self._rules:
            _say(document, str(self._rules["unknown-word"].option("word")))
        if "foreign-echo" in self._rules and "WindowExecutionId" in document:
            document["WindowExecutionId"] = "ffffffff-ffff-4fff-8fff-ffffffffffff"
        self._bend_token(document, call)
        return document

    def _bend_token(self, document: Document, call: Call) -> None:
        holder = document["Invocation"] if isinstance(document.get("Invocation"), dict) else document
        name = "nextToken" if call.service == "states" else "NextToken"
        token = call.params.get(name)
        if "repeat-token" in self._rules and token:
            holder[name] = token
        if "empty-token" in self._rules and not holder.get(name):
            holder[name] = ""

    def bend_reply(self, reply: Reply) -> Reply:
        for kind in self._rules:
            bend = _REPLY_BENDS.get(kind)
            if bend is not None:
                bend(self._rules[kind], reply)
        return reply


def _throttle(rule: Rule, dialect: Dialect, call: Call) -> Refusal:
    refusal = dialect.throttled(call)
    wait = rule.option("retry_after")
    header = {"aws": "x-amz-retry-after", "alibaba": "x-acs-retry-after"}.get(call.provider)
    if wait is None or header is None:
        return refusal
    return Refusal(refusal.status, refusal.code, refusal.message, **refusal.extra, headers={header: str(int(wait))})


def _too_large(call: Call) -> Refusal:
    status = 200 if call.provider == "tencent" else 400
    return Refusal(status, "ResponseSizeLimitExceeded", "The response size exceeds the upper limit.")


_REFUSALS: Mapping[str, Callable[[Rule, Dialect, Call], Refusal]] = {
    **dict.fromkeys(("throttle", *KINDS), _throttle),
    "too-large": lambda rule, dialect, call: _too_large(call),
    "http-500": lambda rule, dialect, call: dialect.broken(call, 500),
    "http-503": lambda rule, dialect, call: dialect.broken(call, 503),
    "denied": lambda rule, dialect, call: dialect.denied(call),
    "expired": lambda rule, dialect, call: dialect.expired(call),
    "skew": lambda rule, dialect, call: dialect.skewed(call),
    "error": lambda rule, dialect, call: Refusal(
        int(rule.option("status")), str(rule.option("code")), str(rule.option("message"))
    ),
    "not-stoppable": lambda rule, dialect, call: dialect.not_stoppable(call),
}
_BEFORE_EFFECT = frozenset({"drop-before", "stale", "throttle", "too-large", "denied", "expired", "skew", *KINDS})


def _runs_named(book: Book, call: Call) -> list[Run]:
    return [book.runs[text] for text in call.texts() if text in book.runs]


def _rows(document: Document, action: Action) -> list[Any]:
    holder: Any = document
    for name in action.rows:
        holder = holder.get(name, {})
    return holder if action.rows and isinstance(holder, list) else []


_STATUS_KEYS = frozenset(
    {
        "Status",
        "status",
        "StatusDetails",
        "AutomationExecutionStatus",
        "StepStatus",
        "InvocationStatus",
        "InvokeStatus",
        "InvokeRecordStatus",
        "InstanceInvokeStatus",
        "TaskStatus",
        "Result",
    }
)


def _say(value: Any, word: str) -> None:
    """Put an invented word in the place of every status."""
    if isinstance(value, list):
        for inner in value:
            _say(inner, word)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in _STATUS_KEYS and isinstance(inner, str):
                value[key] = word
            else:
                _say(inner, word)


def _replace(reply: Reply, body: bytes, content_type: str | None = None) -> None:
    reply.status, reply.body = 200, body
    if content_type:
        reply.headers = {"Content-Type": content_type}


def _html(rule: Rule, reply: Reply) -> None:
    _replace(reply, b"<html><body>Please log in to the network</body></html>", "text/html")


def _empty_object(rule: Rule, reply: Reply) -> None:
    _replace(reply, b"{}", reply.headers.get("Content-Type", "application/json"))


def _empty_body(rule: Rule, reply: Reply) -> None:
    _replace(reply, b"", reply.headers.get("Content-Type", "application/json"))


def _broken(rule: Rule, reply: Reply) -> None:
    if rule.option("html"):
        status = rule.kind.removeprefix("http-")
        reply.body, reply.headers = f"<html><h1>{status}</h1></html>".encode(), {"Content-Type": "text/html"}


def _half(rule: Rule, reply: Reply) -> None:
    reply.body = reply.body[: len(reply.body) // 2]


def _cut(rule: Rule, reply: Reply) -> None:
    reply.cut = True


def _charset(rule: Rule, reply: Reply) -> None:
    kind = reply.headers.get("Content-Type", "application/json").split(";")[0]
    reply.headers["Content-Type"] = f"{kind}; charset=utf-8"


def _odd_type(rule: Rule, reply: Reply) -> None:
    reply.headers["Content-Type"] = str(rule.option("type"))


def _drop(rule: Rule, reply: Reply) -> None:
    reply.drop = True


def _hang(rule: Rule, reply: Reply) -> None:
    reply.wait = float(rule.option("seconds"))


def _drip(rule: Rule, reply: Reply) -> None:
    reply.drip = float(rule.option("seconds"))


def _no_request_id(rule: Rule, reply: Reply) -> None:
    reply.headers.pop("x-amzn-RequestId", None)
    try:
        document = json.loads(reply.body)
    except ValueError:
        return
    document.pop("RequestId", None)
    if isinstance(document.get("Response"), dict):
        document["Response"].pop("RequestId", None)
    reply.body = json.dumps(document).encode()


_REPLY_BENDS = {
    "html-200": _html,
    "empty-object-200": _empty_object,
    "empty-body-200": _empty_body,
    "http-500": _broken,
    "http-503": _broken,
    "half-json": _half,
    "cut": _cut,
    "charset": _charset,
    "odd-type": _odd_type,
    "drop-before": _drop,
    "drop-after": _drop,
    "stale": _drop,
    "hang": _hang,
    "drip": _drip,
    "no-request-id": _no_request_id,
}
