"""Scopes opened without the command: before a sandbox as the program does, or before answers that a test writes."""

import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from fakes import HandClock

from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Ref, Run, Scope, Snapshot
from runcancel.model.states import State
from runcancel.providers import alibaba, tencent
from runcancel.providers.alibaba.invocations import CloudAssistant
from runcancel.providers.alibaba.wire import Wire as AlibabaWire
from runcancel.providers.base import AuditLog, Cloud, Connection
from runcancel.providers.common.credentials import Credentials
from runcancel.providers.common.http import Endpoint, Reply, Transport
from runcancel.providers.tencent.invocations import Tat
from runcancel.providers.tencent.wire import Wire as TencentWire
from runcancel.runtime.throttle import Pace, Tries
from runcancel.sandbox import Sandbox

Open = Callable[..., tuple[Sandbox, Cloud]]

HANGZHOU = Scope(provider="alibaba", region="cn-hangzhou")
GUANGZHOU = Scope(provider="tencent", region="ap-guangzhou")


def read(cloud: Cloud, ref: Ref, *, full: bool = True) -> Snapshot:
    """The reading of a run that is there."""
    ((_, found),) = cloud.read([ref], full=full)
    assert isinstance(found, Snapshot), found
    return found


def unread(cloud: Cloud, ref: Ref) -> CloudError:
    """Why a run could not be read, where that says nothing about the next one."""
    ((_, found),) = cloud.read([ref])
    assert isinstance(found, CloudError), found
    return found


def refused(ask: Callable[[], object]) -> CloudError:
    """The error that ends what is asked."""
    with pytest.raises(CloudError) as caught:
        ask()
    return caught.value


def listed(cloud: Cloud, *states: State, kind: str = "invocation") -> list[Run]:
    """What the program finds: what the cloud lists and the query takes."""
    query = Query(include_schedules=True, kinds=frozenset({kind}), states=frozenset(states))
    return [run for run in runs_of(cloud, query) if query.matches(run)]


def runs_of(cloud: Cloud, query: Query) -> Iterator[Run]:
    """The runs that the cloud lists, as they come."""
    return (one.run for one in cloud.runs(query))


def ids(runs: Iterable[Run]) -> list[str]:
    """The runs' ids, in their order."""
    return [run.id for run in runs]


def truth(box: Sandbox, scope: Scope, kind: str = "invocation") -> set[str]:
    """The ids that a listing has: of all runs but those that another run started."""
    runs = box.world.book(scope.provider, 0, scope.region).runs.values()
    return {run.id for run in runs if run.kind == kind and not getattr(run, "parent", "")}


def peak(cloud: Cloud, *, runs: int) -> int:
    """Bytes at the worst moment of listing that many runs."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in cloud.runs(Query())) == runs
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def answer(**fields: object) -> dict[str, object]:
    """An answer of Tencent Cloud."""
    return {"Response": {"RequestId": "R", **fields}}


class Script:
    """A transport that gives one answer after the other, the last one for ever.

    An answer is what becomes JSON, bytes, or a function of the request's parameters; `asked` holds those.
    """

    def __init__(self, *answers: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.endpoint = Endpoint.of("https://cloud.example.com")
        self.asked: list[dict[str, Any]] = []
        self._answers = answers
        self._status = status
        self._headers = headers or {}

    def post(self, target: str, *, body: bytes = b"", **_: object) -> Reply:
        params = json.loads(body) if body else dict(parse_qsl(urlsplit(target).query))
        self.asked.append(params)
        answer = self._answers[min(len(self.asked), len(self._answers)) - 1]
        said = answer(params) if callable(answer) else answer
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        return Reply(status_code=self._status, headers=self._headers, content=content)

    def alibaba(self) -> CloudAssistant:
        """A scope of Alibaba Cloud that answers so."""
        keys, pace = (
            Credentials(id="id", secret="sikrit", token="tokken"),
            Pace(HandClock(), tries=lambda: Tries(within=0)),
        )
        transport, connection = cast(Transport, self), Connection(scope=HANGZHOU)
        wire = AlibabaWire(transport, connection, product="ecs", version="2014-05-26", keys=lambda: keys, pace=pace)
        return CloudAssistant(wire, wire, scope=HANGZHOU, kind=alibaba.PROVIDER.kinds[0], audit=_no_audit)

    def tencent(self) -> Tat:
        """A scope of Tencent Cloud that answers so."""
        keys, pace = (
            Credentials(id="id", secret="sikrit", token="tokken"),
            Pace(HandClock(), tries=lambda: Tries(within=0)),
        )
        transport, connection = cast(Transport, self), Connection(scope=GUANGZHOU)
        wire = TencentWire(transport, connection, product="tat", version="2020-10-28", keys=lambda: keys, pace=pace)
        kind, invoker = tencent.PROVIDER.kinds[0], tencent.PROVIDER.trigger_kinds[0]
        return Tat(wire, wire, scope=GUANGZHOU, kind=kind, invoker=invoker, pace=pace, audit=_no_audit)


def _no_audit() -> AuditLog:
    raise NotImplementedError
