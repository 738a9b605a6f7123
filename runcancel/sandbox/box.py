"""A sandbox: one world, three clouds that speak for it, and the server in front of them."""

import random
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runcancel.sandbox import seeds, strangers
from runcancel.sandbox.accounts import DEFAULT_REGION, REGIONS, account_id, key, regions_of
from runcancel.sandbox.alibaba.dialect import Alibaba
from runcancel.sandbox.aws.dialect import Aws
from runcancel.sandbox.clock import Clock
from runcancel.sandbox.control import Control, add_runs
from runcancel.sandbox.effects import Board, Struck
from runcancel.sandbox.faults import Rule, rule
from runcancel.sandbox.limits import Limits
from runcancel.sandbox.log import Log, LogEntry
from runcancel.sandbox.server import Server
from runcancel.sandbox.tencent.dialect import Tencent
from runcancel.sandbox.wire import Call, Dialect, Document, Refusal, Reply, Request
from runcancel.sandbox.world import Book, World


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """`fleet=False` starts empty; `runs` are added to what is there, written as for `POST /_sandbox/runs`.

    `tick`: world time stands still except that every API request moves it by so many seconds. `fresh`: so many reads
    miss a run that was started or added after the start. `regions`: how many each cloud has; those beyond the usual
    ones start without runs. `external_id`: what every role requires of who assumes it.
    """

    port: int = 0
    seed: int = 1
    speed: float = 1.0
    tick: float | None = None
    accounts: int = 1
    regions: int = 0
    external_id: str = ""
    fleet: bool = True
    fresh: int = 0
    limits: bool = False
    faults: Sequence[str | Mapping[str, Any] | Rule] = ()
    runs: Sequence[Mapping[str, Any]] = ()


class Sandbox:
    """Serves from construction on; `close` may be called any number of times."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self.board = Board([], seed=self.options.seed)
        self.log = Log()
        self._closed = threading.Event()
        self.reset()
        self._control = Control(self)
        self._server = Server(self.answer, self._closed, port=self.options.port, wall=self._wall)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._server.close()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Back to the start: the same runs, the rules of the options, no requests."""
        options = self.options
        self.clock = Clock(speed=options.speed, tick=options.tick)
        self.world = World(self.clock, seed=options.seed, regions=regions_of(options.regions), furnish=self._furnish)
        self.world.fresh = options.fresh
        self.world.accounts = options.accounts
        self.world.external_id = options.external_id
        self.limits = Limits(enforced=options.limits)
        self._ids = random.Random(options.seed)  # noqa: S311  ids that repeat, no secrets
        self._dialects: dict[str, Dialect] = {
            "aws": Aws(self.world, accounts=options.accounts),
            "alibaba": Alibaba(self.world, accounts=options.accounts),
            "tencent": Tencent(self.world, accounts=options.accounts),
        }
        self.board.replace(each if isinstance(each, Rule) else rule(each) for each in options.faults)
        self.log.clear()
        for raw in options.runs:
            add_runs(self.world, raw)

    def _wall(self) -> float:
        return self.clock.wall()  # a reset brings another clock

    def _furnish(self, book: Book) -> None:
        if self.options.fleet and book.key.region in REGIONS[book.key.provider]:
            seeds.furnish(book, self.clock.epoch)

    def environment(self, *, account: int = 0, sort: str = "static") -> dict[str, str]:
        """The variables that point the SDKs and runcancel here; `sort` is static, temporary or expired keys."""
        aws, alibaba, tencent = (key(provider, account, sort) for provider in ("aws", "alibaba", "tencent"))
        variables = {
            "AWS_ACCESS_KEY_ID": aws.id,
            "AWS_SECRET_ACCESS_KEY": aws.secret,
            "AWS_SESSION_TOKEN": aws.token,
            "AWS_DEFAULT_REGION": DEFAULT_REGION["aws"],
            "AWS_ENDPOINT_URL": self.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": alibaba.id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": alibaba.secret,
            "ALIBABA_CLOUD_SECURITY_TOKEN": alibaba.token,
            "ALIBABA_CLOUD_REGION_ID": DEFAULT_REGION["alibaba"],
            "RUNCANCEL_ALIBABA_ENDPOINT_URL": self.url,
            "TENCENTCLOUD_SECRET_ID": tencent.id,
            "TENCENTCLOUD_SECRET_KEY": tencent.secret,
            "TENCENTCLOUD_TOKEN": tencent.token,
            "TENCENTCLOUD_REGION": DEFAULT_REGION["tencent"],
            "RUNCANCEL_TENCENT_ENDPOINT_URL": self.url,
        }
        return {name: value for name, value in variables.items() if value}

    def account_id(self, provider: str, account: int = 0) -> str:
        return account_id(provider, account)

    def answer(self, request: Request) -> Reply:
        stranger = strangers.refusal(request)
        if stranger is not None:
            return stranger
        if request.path.startswith("/_sandbox/"):
            return self._control.answer(request)
        dialect = self._dialects[speaks(request)]
        self.clock.request_arrives()
        request_id = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        agent = request.header("user-agent")
        entry = LogEntry(dialect.provider, request_id=request_id, user_agent=agent, arrived=time.time())
        try:
            return self._handle(dialect, request, entry)
        except Refusal as refusal:
            entry.error = refusal.code
            return self._logged(entry, dialect.refuse(request, refusal, request_id))
        except Exception:  # noqa: BLE001
            # A bug of the sandbox: say so where a person will see it, and as a server error on the wire.
            traceback.print_exc(file=sys.stderr)
            entry.error = "SandboxBug"
            return self._logged(
                entry, dialect.refuse(request, Refusal(500, "InternalError", "sandbox bug"), request_id)
            )

    def _handle(self, dialect: Dialect, request: Request, entry: LogEntry) -> Reply:
        call = dialect.read(request)
        call.reused = request.reused
        entry.service, entry.account, entry.region = call.service, call.account, call.region
        entry.action, entry.params = call.action, call.params
        action = dialect.action_of(call)
        if not self.limits.allows((call.provider, call.account, call.region, call.action), action.rate, action.per):
            raise dialect.throttled(call)
        struck = self.board.striking(call)
        entry.faults = struck.kinds
        self._closed.wait(struck.seconds_before()) if struck.seconds_before() else None
        refusal = struck.refusal(dialect, call)
        try:
            document = self._document(dialect, call, struck)
            if refusal is not None:
                raise refusal
            reply = dialect.accept(call, document, entry.request_id)
        except Refusal as error:
            entry.error = error.code
            reply = dialect.refuse(request, error, entry.request_id)
        entry.effective = call.changed
        return self._logged(entry, struck.bend_reply(reply))

    def _document(self, dialect: Dialect, call: Call, struck: Struck) -> Document:
        if struck.keeps_from_effect():
            return {}
        action = dialect.action_of(call)
        with self.world.lock:
            book = self.world.book(call.provider, call.account, call.region)
            struck.bend_world(book, action, call, self.world.now())
            return struck.bend_document(action.answer(self.world, book, call), action, call)

    def _logged(self, entry: LogEntry, reply: Reply) -> Reply:
        entry.status = reply.status
        entry.world_time, entry.real_time = self.clock.now(), time.time()
        self.log.add(entry)
        return reply


def speaks(request: Request) -> str:
    if "Action=" in request.target or request.header("x-acs-action"):
        return "alibaba"
    return "tencent" if request.header("x-tc-action") else "aws"
