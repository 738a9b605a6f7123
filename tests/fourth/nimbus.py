"""An imaginary cloud, written after `docs/layout.md`: the contracts `Provider` and `Cloud` in one file, no more.

Its runs are in the JSON file that NIMBUS_FILE names, so that what one command cancels the next one sees.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runcancel.environment import Choice
from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished, Output
from runcancel.model.queries import Query
from runcancel.model.reports import AccessPolicy
from runcancel.model.runs import AuditEvent, Identity, Invocation, InvocationFilter, Kind, Ref, Run, Snapshot
from runcancel.model.states import Guarantee, Reason, State
from runcancel.providers.base import Checkup, Connection, NoTriggers, PolicyScope, Provider, Triggers, VendorSettings
from runcancel.providers.common.fields import checked_id
from runcancel.providers.common.links import Link
from runcancel.providers.common.paging import first
from runcancel.runtime.throttle import Pace, Rate

NAME = "nimbus"
JOB = Kind(
    name="job",
    guarantee=Guarantee.STOPS_RUNNING,
    action="StopJob",
    permission="nimbus:StopJob",
    promise="A cancel here stops pending targets and terminates running targets.",
    id_pattern=re.compile(r"job-[0-9A-Fa-f]{12}"),
    probe_id="job-000000000000",
    in_part=True,
)
KINDS = (JOB,)
REGIONS = frozenset({"sky-1", "sky-2"})
CREDENTIALS = "NIMBUS_KEY"

_WORDS = {"waiting": State.PENDING, "flying": State.RUNNING, "landed": State.SUCCEEDED, "crashed": State.FAILED}
_WORDS |= {"called off": State.CANCELLED, "shot down": State.TERMINATED}
_STOPS = {"waiting": "called off", "flying": "shot down"}


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """NIMBUS_REGION; there is one profile."""
    region = Choice(environ["NIMBUS_REGION"], "NIMBUS_REGION") if environ.get("NIMBUS_REGION") else None
    return VendorSettings(profile=Choice(profile or "default", "default"), region=region)


def host(region: str, _site: str | None) -> str:
    """One host per region."""
    return f"{region}.nimbus.example"


def configured(environ: Mapping[str, str]) -> bool:
    """Whether there is a key."""
    return "NIMBUS_KEY" in environ


def link(text: str) -> Link | None:
    """The console of this cloud has one page per job."""
    found = re.fullmatch(r"https://console\.nimbus\.example/([a-z0-9-]+)/jobs/(job-[0-9A-Fa-f]{12})", text)
    return None if found is None else Link(id=found[2], region=found[1], kind=JOB.name)


def policy(scope: PolicyScope) -> AccessPolicy:
    """One word per call."""
    calls = ["nimbus:GetJob", "nimbus:ListJobs", *([] if scope.read_only else [JOB.permission])]
    notes = ("cannot be restricted to a region",) if scope.regions else ()
    return AccessPolicy(provider=NAME, read_only=scope.read_only, policy={"allow": calls}, notes=notes)


def connect(connection: Connection, environ: Mapping[str, str], pace: Pace) -> "Nimbus":
    """Open one scope. Raises `CloudError` without a key."""
    if not configured(environ):
        raise CloudError(Reason.NO_CREDENTIALS, f"no credentials: {CREDENTIALS}")
    return Nimbus(connection, Path(environ["NIMBUS_FILE"]), pace)


class Nimbus:
    """See `Cloud`."""

    def __init__(self, connection: Connection, file: Path, pace: Pace) -> None:
        self._scope = connection.scope
        self._file = file
        self._pace = pace

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        for ref in refs:
            job = self._call("GetJob").get(ref.id)
            yield ref, self._snapshot(ref, job) if job else CloudError(Reason.NOT_FOUND, "no such job")

    def invocations(self, ref: Ref, wanted: InvocationFilter) -> Iterator[Invocation]:
        return first(filter(wanted.matches, self._known(ref).invocations), wanted.limit)

    def logs(self, ref: Ref, wanted: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        for one in filter(wanted.matches, self._known(ref).invocations):
            record = Output(
                run=ref, parent=None, id=one.id, task=None, step=None, target=one.target, target_name=None,
                state=one.state, provider_status=one.provider_status, status_detail=None, exit_code=None,
                stdout=f"hello from {one.target}\n", stderr=None, merged=True, truncated=False, dropped=None,
                encoding=None, damaged=False, location=None, stderr_location=None, upload_error=None, child=None,
                note=None,
            )  # fmt: skip
            yield Capture(record=record)

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        checked_id(ref.id, JOB.id_pattern)
        jobs = self._call("StopJob")
        planes = jobs[ref.id]["planes"]
        for name in targets or tuple(planes):
            planes[name] = _STOPS.get(planes[name], planes[name])
        self._file.write_text(json.dumps(jobs))
        yield f"stop-{ref.id}"

    def runs(self, query: Query) -> Iterator[Snapshot]:
        for id, job in self._call("ListJobs").items():
            if job["region"] == self._scope.region:
                yield self._snapshot(Ref(scope=self._scope, kind=JOB.name, id=id), job)

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        return iter(())

    def script(self, ref: Ref) -> str | None:
        self._known(ref)
        return None

    def triggers(self) -> Triggers:
        return NoTriggers()

    def regions(self) -> tuple[str, ...]:
        return tuple(sorted(REGIONS))

    def identity(self) -> Identity:
        return Identity(account="n-1", principal="nimbus:user/pilot")

    def checkup(self) -> Checkup:
        return Checkup(credentials="NIMBUS_KEY", key=None, endpoint="file", proxy=None, clock_skew=0.0, latency=0.001)

    def _call(self, action: str) -> dict[str, Any]:
        found: dict[str, Any] = self._pace.call(
            action, lambda: json.loads(self._file.read_text()), rate=Rate(100, documented=False)
        )
        return found

    def _known(self, ref: Ref) -> Snapshot:
        ((_, answer),) = self.read([ref])
        if isinstance(answer, CloudError):
            raise answer
        return answer

    def _snapshot(self, ref: Ref, job: Mapping[str, Any]) -> Snapshot:
        words = list(job["planes"].values())
        open_words = [word for word in words if word in _STOPS]
        word = open_words[-1] if open_words else next((each for each in words if each != "landed"), "landed")
        rows = [_row(ref, name, each) for name, each in job["planes"].items()]
        run = Run.at(ref, JOB, state=_WORDS[word], provider_status=word, name=job["name"])
        return Snapshot.full(run, rows)


def _row(ref: Ref, name: str, word: str) -> Invocation:
    return Invocation(
        run=ref, id=name, task=None, target=name, target_name=None, state=_WORDS[word], provider_status=word,
        status_detail=None, exit_code=None, started_at=None, ended_at=None, child=None, owner=None, window_target=None,
    )  # fmt: skip


PROVIDER = Provider(
    name=NAME,
    title="Nimbus",
    account_pattern=re.compile(r"n-[0-9]+"),
    ids=("job-…",),
    kinds=KINDS,
    regions=REGIONS,
    variables=("NIMBUS_",),
    region_variables=("NIMBUS_REGION",),
    credentials=CREDENTIALS,
    sign_in="export NIMBUS_KEY=…",
    resolve=resolve,
    host=host,
    configured=configured,
    link=link,
    policy=policy,
    connect=connect,
)
