"""The sandbox's own JSON interface under `/_sandbox/`: look behind the scenes, move time, set faults, add runs."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from runcancel.sandbox.accounts import DEFAULT_REGION, PROVIDERS
from runcancel.sandbox.clock import Clock
from runcancel.sandbox.effects import Board
from runcancel.sandbox.faults import BadFault, rule
from runcancel.sandbox.fleet import build
from runcancel.sandbox.log import Log
from runcancel.sandbox.spec import BadSpec, parse_spec
from runcancel.sandbox.strangers import not_json
from runcancel.sandbox.wire import Document, Reply, Request, encode
from runcancel.sandbox.world import Book, Run, World

_SCOPE_KEYS = ("provider", "region", "account", "count")


class Controlled(Protocol):
    """What this interface reads and changes; `reset` replaces clock and world."""

    log: Log
    board: Board
    clock: Clock
    world: World

    def reset(self) -> None:
        """Go back to the start."""
        ...


class Control:
    def __init__(self, box: Controlled) -> None:
        self._box = box
        self._routes: dict[tuple[str, str], Callable[[Any], object]] = {
            ("GET", "requests"): lambda body: box.log.shown(),
            ("DELETE", "requests"): lambda body: box.log.clear(),
            ("GET", "truth"): lambda body: truth(box.world),
            ("GET", "time"): lambda body: {"now": box.clock.now(), "epoch": box.clock.epoch},
            ("POST", "advance"): self._advance,
            ("POST", "skew"): self._skew,
            ("GET", "faults"): lambda body: box.board.shown(),
            ("POST", "faults"): self._set_faults,
            ("DELETE", "faults"): lambda body: box.board.replace([]),
            ("POST", "runs"): self._add_runs,
            ("POST", "reset"): lambda body: box.reset(),
        }

    def answer(self, request: Request) -> Reply:
        name = request.path.removeprefix("/_sandbox/").rstrip("/")
        route = self._routes.get((request.method, name))
        if route is None:
            return _reply(404, {"error": "not found", "there_are": sorted(" ".join(each) for each in self._routes)})
        wrong = not_json(request)
        if wrong is not None:
            return wrong
        try:
            body = json.loads(request.body) if request.body else None
            with self._box.world.lock:
                return _reply(200, route(body))
        except (BadFault, BadSpec, ValueError, TypeError, KeyError) as error:
            return _reply(400, {"error": f"{type(error).__name__}: {error}"})

    def _advance(self, body: Any) -> object:
        self._box.clock.advance(float(body["seconds"]))
        return {"now": self._box.clock.now()}

    def _skew(self, body: Any) -> object:
        self._box.clock.skew = float(body["seconds"])
        return {"seconds": self._box.clock.skew}

    def _set_faults(self, body: Any) -> object:
        self._box.board.replace([rule(each) for each in (body if isinstance(body, list) else [body])])
        return self._box.board.shown()

    def _add_runs(self, body: Any) -> object:
        each = body if isinstance(body, list) else [body]
        return {"ids": [id for raw in each for id in add_runs(self._box.world, raw)]}


def add_runs(world: World, raw: Mapping[str, Any]) -> list[str]:
    """Start the runs that a specification describes; return their ids. Raises `BadSpec`."""
    provider = raw.get("provider")
    if provider not in PROVIDERS:
        raise BadSpec(f"provider is one of {', '.join(PROVIDERS)}")
    region = str(raw.get("region") or DEFAULT_REGION[provider])
    if not world.serves(provider, region):
        raise BadSpec(f"{provider} serves {', '.join(world.regions[provider])}")
    account = int(raw.get("account", 0))
    description = parse_spec({key: value for key, value in raw.items() if key not in _SCOPE_KEYS})
    with world.lock:
        book = world.book(provider, account, region)
        now = world.now()
        runs = [build(book, description, now) for _ in range(int(raw.get("count", 1)))]
        for run in runs:
            run.fresh = max(run.fresh, world.fresh)
    return [run.id for run in runs]


def truth(world: World) -> list[Document]:
    """Every run of every book, with what is really true of each target."""
    now = world.now()
    books = world.books(world.accounts)
    return [_run(book, run, now) for book in books for run in list(book.runs.values())]


def _run(book: Book, run: Run, now: float) -> Document:
    targets = [{"id": name, "state": word, "cancels": cancels} for name, word, cancels in run.truth(now)]
    scope = {"provider": book.key.provider, "account": book.key.account, "region": book.key.region}
    return {"id": run.id, "kind": run.kind, "name": run.name, **scope, "state": run.state(now), "targets": targets}


def _reply(status: int, value: object) -> Reply:
    body = encode({"ok": True} if value is None else value)
    return Reply(status, body, {"Content-Type": "application/json"})
