"""Looking at references: as few calls as the clouds take, reads alone, and one answer for each."""

import re
from collections.abc import Iterable, Iterator, Sequence

import pytest
from fakes import PATCH, UUID, FakeCloud, FakeClouds, Life, hand_workers, seen

from runcancel.config import references
from runcancel.config.settings import gather
from runcancel.engine.connections import Batch, batches, read
from runcancel.engine.lookup import LookupResult, look_up
from runcancel.errors import CloudError, Interrupted, UsageError
from runcancel.model.runs import Ref, Snapshot
from runcancel.model.states import Reason, State
from runcancel.providers import kind_of
from runcancel.providers.base import Cloud

R = State.RUNNING
US, EU, CN = "aws:us-east-2", "aws:eu-west-1", "tencent:ap-guangzhou"


def running(ref: str) -> Life:
    return lambda since: seen(ref, R)


def failing(reason: Reason) -> Life:
    return lambda since: CloudError(reason, f"the cloud said {reason}")


class Sky:
    """Clouds in memory by scope, and what one look at references found."""

    def __init__(self, **lives: dict[str, Life]) -> None:
        self.clock, self.workers = hand_workers()
        self._began = self.clock.monotonic()
        self.of = {
            scope.replace("_", ":", 1).replace("_", "-"): FakeCloud(self.clock, known, {})
            for scope, known in lives.items()
        }

    @property
    def waited(self) -> float:
        """Seconds so far."""
        return self.clock.monotonic() - self._began

    def look_up(self, *texts: str, regions: Iterable[str] = ()) -> list[LookupResult]:
        clouds: dict[str, Cloud] = dict(self.of)
        settings = gather(regions=regions, environ={"HOME": "/nowhere"})
        return list(look_up(references.parse_all(texts), settings, FakeClouds(clouds, self.workers), self.workers))


def test_tencent_is_asked_a_hundred_at_a_time() -> None:
    texts = [f"{CN}:inv-{number:08}" for number in range(250)]
    sky = Sky(tencent_ap_guangzhou={text.replace(":inv", ":invocation/inv"): running(text) for text in texts})

    sights = sky.look_up(*texts)

    assert [len(ids) for _, ids in sky.of[CN].log] == [100, 100, 50]
    assert len(sights) == 250
    assert all(sight.snapshot is not None and sight.snapshot.run.id == sight.reference.id for sight in sights)


def test_one_run_written_in_several_ways_is_read_once() -> None:
    texts = [f"{CN}:inv-{number:08}" for number in range(100)]
    longer = [text.replace(":inv", ":invocation/inv") for text in texts]
    sky = Sky(tencent_ap_guangzhou={text: running(text) for text in longer})

    sights = sky.look_up(*texts, *longer, *texts)

    assert [len(set(ids)) for _, ids in sky.of[CN].log] == [100]
    assert len(sights) == 200
    assert all(sight.snapshot is not None for sight in sights)


@pytest.mark.parametrize(("kind", "calls"), [("maintenance-window", 1), ("command", 2), ("automation", 3), (None, 5)])
def test_a_bare_uuid_is_asked_kind_after_kind_up_to_the_first_hit(kind: str | None, calls: int) -> None:
    sky = Sky(aws_us_east_2={} if kind is None else {f"{US}:{kind}/{UUID}": running(f"{US}:{kind}/{UUID}")})

    (sight,) = sky.look_up(UUID, regions=["us-east-2"])

    assert [verb for verb, _ in sky.of[US].log] == ["read"] * calls
    assert (sky.waited > 1) == (kind is None)  # only what is found nowhere may be fresh
    if kind is None:
        assert sight.problem is not None
        assert sight.problem.code is Reason.NOT_FOUND
        assert "maintenance-window, command, automation" in sight.problem.message
    else:
        assert sight.snapshot is not None
        assert sight.snapshot.run.kind == kind


def fresh(ref: str, *, looks: int) -> Life:
    """A run that does not show at the first `looks`."""
    unseen = iter(range(looks))
    return lambda since: seen(ref, R) if next(unseen, None) is None else CloudError(Reason.NOT_FOUND, "not found")


@pytest.mark.parametrize(
    ("ref", "looks"),
    [(f"{US}:command/{UUID}", 1), (f"{US}:command/{UUID}", 2), (f"{CN}:invocation/inv-ib2lld37", 1)],
)
def test_a_run_that_was_just_started_is_looked_for_again(ref: str, looks: int) -> None:
    sky = Sky(**{re.sub("[:-]", "_", ref.partition(":")[0] + ":" + ref.split(":")[1]): {ref: fresh(ref, looks=looks)}})

    (sight,) = sky.look_up(ref)

    assert sight.snapshot is not None
    assert 0 < sky.waited <= 2


def test_a_fresh_command_is_found_by_its_bare_id_though_other_kinds_are_denied() -> None:
    lives = {f"{US}:command/{UUID}": fresh(f"{US}:command/{UUID}", looks=2)}
    sky = Sky(aws_us_east_2={f"{US}:maintenance-window/{UUID}": failing(Reason.DENIED), **lives})

    (sight,) = sky.look_up(UUID, regions=["us-east-2"])

    assert sight.snapshot is not None
    assert [verb for verb, _ in sky.of[US].log] == ["read"] * 5


def test_only_what_is_missing_is_looked_for_again() -> None:
    there, late = f"{CN}:invocation/inv-00000001", f"{CN}:invocation/inv-00000002"
    sky = Sky(tencent_ap_guangzhou={there: running(there), late: fresh(late, looks=1)})

    assert all(sight.snapshot is not None for sight in sky.look_up(there, late))
    assert [ids for _, ids in sky.of[CN].log] == [("inv-00000001", "inv-00000002"), ("inv-00000002",)]


def test_a_kind_that_is_named_is_the_only_one_asked() -> None:
    sky = Sky(aws_us_east_2={f"{US}:command/{UUID}": running(f"{US}:command/{UUID}")})

    (sight,) = sky.look_up(f"{US}:automation/{UUID}")

    assert sky.of[US].log == [("read", (UUID,))]
    assert sight.problem is not None
    assert sight.problem.code is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"maintenance-window": Reason.DENIED}, Reason.DENIED),
        ({"command": Reason.DENIED, "automation": Reason.DENIED}, Reason.DENIED),
        ({"command": Reason.DOWN}, Reason.DOWN),
        ({}, Reason.NOT_FOUND),
    ],
)
def test_what_could_not_be_looked_at_is_not_called_not_found(answers: dict[str, Reason], code: Reason) -> None:
    sky = Sky(aws_us_east_2={f"{US}:{kind}/{UUID}": failing(reason) for kind, reason in answers.items()})

    (sight,) = sky.look_up(UUID, regions=["us-east-2"])

    assert sight.problem is not None
    assert (sight.problem.code, str(sight.problem.ref), sight.problem.scope) == (code, UUID, US)
    assert ("could not check" in sight.problem.message) == (code is Reason.DENIED)
    assert ("give the kind" in (sight.problem.hint or "")) == (code is Reason.DENIED)


def test_denied_for_one_kind_and_found_as_the_next_is_found() -> None:
    sky = Sky(
        aws_us_east_2={
            f"{US}:maintenance-window/{UUID}": failing(Reason.DENIED),
            f"{US}:command/{UUID}": running(f"{US}:command/{UUID}"),
        }
    )

    (sight,) = sky.look_up(UUID, regions=["us-east-2"])

    assert sight.snapshot is not None
    assert sight.problem is None


def test_credentials_that_are_bad_are_bad_for_every_kind() -> None:
    sky = Sky(aws_us_east_2={f"{US}:maintenance-window/{UUID}": failing(Reason.EXPIRED_CREDENTIALS)})

    (sight,) = sky.look_up(UUID, regions=["us-east-2"])

    assert sky.of[US].count("read") == 1
    assert sight.problem is not None
    assert sight.problem.code is Reason.EXPIRED_CREDENTIALS


def test_found_in_two_scopes_is_a_question_of_usage() -> None:
    command = f"command/{UUID}"
    sky = Sky(
        aws_us_east_2={f"{US}:{command}": running(f"{US}:{command}")},
        aws_eu_west_1={f"{EU}:{command}": running(f"{EU}:{command}")},
    )

    (sight,) = sky.look_up(command, regions=["us-east-2", "eu-west-1"])

    assert sight.snapshot is None
    assert sight.problem is not None
    assert sight.problem.code is Reason.USAGE
    assert f"{US}:{command}" in sight.problem.message
    assert f"{EU}:{command}" in sight.problem.message


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.DOWN, Reason.NOT_FOUND, Reason.NO_CREDENTIALS])
def test_found_in_one_scope_is_found_whatever_another_said(reason: Reason) -> None:
    command = f"command/{UUID}"
    sky = Sky(
        aws_us_east_2={f"{US}:{command}": running(f"{US}:{command}")},
        aws_eu_west_1={f"{EU}:{command}": failing(reason)},
    )

    (sight,) = sky.look_up(command, regions=["eu-west-1", "us-east-2"])

    assert sight.snapshot is not None
    assert (sight.snapshot.run.region, sight.problem) == ("us-east-2", None)


@pytest.mark.parametrize(
    ("first", "second", "speaks"),
    [
        (Reason.NOT_FOUND, Reason.DOWN, Reason.DOWN),
        (Reason.DOWN, Reason.DENIED, Reason.DENIED),
        (Reason.NOT_FOUND, Reason.DENIED, Reason.DENIED),
        (Reason.NOT_FOUND, Reason.NOT_FOUND, Reason.NOT_FOUND),
    ],
)
def test_of_several_failures_the_one_speaks_that_leaves_it_open(first: Reason, second: Reason, speaks: Reason) -> None:
    command = f"command/{UUID}"
    sky = Sky(aws_us_east_2={f"{US}:{command}": failing(first)}, aws_eu_west_1={f"{EU}:{command}": failing(second)})

    for regions in (["us-east-2", "eu-west-1"], ["eu-west-1", "us-east-2"]):
        (sight,) = sky.look_up(command, regions=regions)
        assert sight.problem is not None
        assert sight.problem.code is speaks


def test_a_scope_without_credentials_fails_for_its_references_alone() -> None:
    sky = Sky(tencent_ap_guangzhou={PATCH: running(PATCH)})

    sights = {sight.reference.text: sight for sight in sky.look_up(PATCH, f"{US}:command/{UUID}")}

    assert sights[PATCH].snapshot is not None
    problem = sights[f"{US}:command/{UUID}"].problem
    assert problem is not None
    assert (problem.code, problem.scope) == (Reason.NO_CREDENTIALS, US)


def test_a_part_of_a_run_is_answered_with_the_run_and_a_note() -> None:
    part = f"{CN}:invocation/invt-12345678"
    sky = Sky(tencent_ap_guangzhou={part: running(PATCH)})

    (sight,) = sky.look_up("invt-12345678", regions=["ap-guangzhou"])

    assert sight.snapshot is not None
    assert (str(sight.snapshot.run.ref), sight.note) == (PATCH, f"invt-12345678 is part of {PATCH}")


def test_a_wrong_reference_beside_good_ones_asks_no_cloud() -> None:
    sky = Sky(tencent_ap_guangzhou={PATCH: running(PATCH)})

    with pytest.raises(UsageError):
        sky.look_up(PATCH, UUID)  # no region for it

    assert sky.of[CN].log == []


def test_a_signal_before_the_look_asks_no_cloud() -> None:
    sky = Sky(tencent_ap_guangzhou={PATCH: running(PATCH)})
    sky.workers.signum = 15

    with pytest.raises(Interrupted):
        sky.look_up(PATCH)

    assert sky.of[CN].log == []


class Silent(FakeCloud):
    """A cloud that answers for some and then fails, or says nothing of the others."""

    error: CloudError | None = None

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        yield from list(super().read(refs, full=full))[:1]
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, CloudError(Reason.LOST, "connection reset")])
def test_every_run_of_a_batch_has_an_answer_whatever_the_cloud_left_out(error: CloudError | None) -> None:
    clock, workers = hand_workers()
    one, two = references.full(PATCH), references.full(f"{CN}:inv-00000002")
    cloud = Silent(clock, {PATCH: running(PATCH), str(two): running(str(two))}, {})
    cloud.error = error

    answers = read(FakeClouds({CN: cloud}, workers), Batch(scope=one.scope, kind=kind_of(one), refs=(one, two)))

    (first, seen_one), (second, missing) = answers
    assert (first, second) == (one, two)
    assert isinstance(seen_one, Snapshot)
    assert isinstance(missing, CloudError)
    assert missing.reason is (Reason.UNPROVEN if error is None else Reason.LOST)


def test_batches_hold_one_kind_of_one_scope() -> None:
    mixed = [
        *(references.full(f"{CN}:inv-{number:08}") for number in range(101)),
        *(references.full(f"{US}:{kind}/{UUID}") for kind in ("command", "automation")),
        references.full(f"{EU}:command/{UUID}"),
    ]

    made = list(batches(mixed))

    assert sorted(len(batch.refs) for batch in made) == [1, 1, 1, 1, 100]
    assert sorted(ref for batch in made for ref in batch.refs) == sorted(mixed)
    assert all({(batch.scope, batch.kind.name)} == {(ref.scope, ref.kind) for ref in batch.refs} for batch in made)
