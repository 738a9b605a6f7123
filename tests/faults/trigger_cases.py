"""What a campaign does to triggers: one change of some of them with faults on the way, all of it out of one seed."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outside import Done, Outside

from runcancel.sandbox.aws.triggers import starters
from runcancel.sandbox.aws.windows import Windows
from runcancel.sandbox.tencent.invokers import Invokers

from .campaigns import any_fault, grid_rules, requests_in_words, struck
from .cases import ANYWHERE

WINDOW = "aws:us-east-2:window/mw-0c50858d01c0ffee0"
RULE = "aws:us-east-2:rule/default/nightly-cleanup"
VACUUM = "aws:us-east-2:window/mw-07e60477c06e335fe"  # the one that is disabled from the start

READS: Mapping[str, tuple[str, ...]] = {
    "window": ("GetMaintenanceWindow", "DescribeMaintenanceWindowTasks", "DescribeMaintenanceWindowTargets"),
    "rule": ("DescribeRule", "ListTargetsByRule"),
    "invoker": ("DescribeInvokers", "DescribeCommands"),
}
LISTS: Mapping[str, tuple[str, ...]] = {
    "window": ("DescribeMaintenanceWindows",),
    "rule": ("ListEventBuses", "ListRules"),
    "invoker": (),
}
SWITCHES: Mapping[str, Mapping[str, str]] = {
    "disable": {"window": "UpdateMaintenanceWindow", "rule": "DisableRule", "invoker": "DisableInvoker"},
    "enable": {"window": "UpdateMaintenanceWindow", "rule": "EnableRule", "invoker": "EnableInvoker"},
}
WRITES = frozenset(action for each in SWITCHES.values() for action in each.values())
CHANGES = ("disable", "enable", "restore", "filter")
STORIES = ("disable",) * 4 + ("restore",) * 4 + ("enable", "filter", "dry-run", "triggers")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One command. `picks` index the triggers that can be switched; those in `drifted` are changed by others before."""

    seed: int
    story: str
    picks: tuple[int, ...]
    drifted: tuple[int, ...]
    faults: tuple[str, ...]
    limits: bool
    timeout: str
    wait: bool = True

    @property
    def verb(self) -> str:
        """What the faults strike."""
        return {"restore": "enable", "filter": "disable", "dry-run": "disable"}.get(self.story, self.story)

    def __str__(self) -> str:
        faults = "".join(f"\n  {rule}" for rule in self.faults)
        picks = f"picks {self.picks} drifted {self.drifted}"
        return f"seed {self.seed}: {self.story} {picks} --timeout {self.timeout}\nfaults{faults}"


@dataclass(frozen=True, kw_only=True)
class Played:
    """A case and all that can be known about it afterwards. The states say which triggers were really enabled."""

    case: Case
    refs: tuple[str, ...]
    drifted: frozenset[str]
    done: Done
    requests: list[Any]
    at_first: Mapping[str, bool]
    before: Mapping[str, bool]
    after: Mapping[str, bool]
    resumed: Done | None
    after_resume: Mapping[str, bool]
    restored: Done | None
    at_last: Mapping[str, bool]

    def __str__(self) -> str:
        requests = requests_in_words(self.requests)
        return f"{self.case}\nrequests\n{requests}\n{self.done}\nRESUMED {self.resumed}\nRESTORED {self.restored}"


def truths(outside: Outside) -> dict[str, bool]:
    """Whether each trigger is really enabled; only kinds that have a switch."""
    world = outside.box.world
    with world.lock:
        aws, tencent = world.book("aws", 0, "us-east-2"), world.book("tencent", 0, "ap-guangzhou")
        windows = {f"aws:us-east-2:window/{one.id}": one.enabled for one in aws.beside(Windows).values()}
        rules = {f"aws:us-east-2:rule/{one.bus}/{one.name}": one.state != "DISABLED" for one in starters(aws).rules}
        invokers = {f"tencent:ap-guangzhou:invoker/{one.id}": one.enabled for one in tencent.beside(Invokers)}
    return windows | rules | invokers


def invoker(outside: Outside) -> str:
    """The only one of the sandbox."""
    return next(ref for ref in truths(outside) if ":invoker/" in ref)


def switchable(outside: Outside) -> list[str]:
    """A few of each kind, without those that want a number or have no switch."""
    windows = [ref for ref in truths(outside) if "/mw-" in ref][:5]
    return [*dict.fromkeys((*windows, VACUUM)), RULE, invoker(outside)]


def kind_of(ref: str) -> str:
    """`window`, `rule` or `invoker`."""
    return ref.split(":")[2].partition("/")[0]


def case(seed: int) -> Case:
    """The case of a seed."""
    dice = random.Random(f"triggers {seed}")
    story = dice.choice(STORIES)
    picks = tuple(dice.sample(range(8), k=dice.randint(1, 4)))
    drifted = tuple(pick for pick in picks if pick < 5 and dice.random() < 0.3) if story == "restore" else ()
    return Case(
        seed=seed,
        story=story,
        picks=picks,
        drifted=drifted,
        faults=tuple(_fault(dice, story) for _ in range(dice.choice((1, 1, 2, 2, 3)))),
        limits=dice.random() < 0.5,
        timeout=dice.choice(("0", "1", "2", "4")),
        wait=dice.random() < 0.9,
    )


def grid() -> Iterator[Case]:
    """Every fault at every action, once and for ever, under each verb that it can strike."""
    for verb, switches in SWITCHES.items():
        for kind, switch in switches.items():
            for action in (*READS[kind], switch):
                provider = "tencent" if kind == "invoker" else "aws"
                for rule, seed, timeout in grid_rules(verb, provider, action, reads=action in READS[kind]):
                    yield Case(
                        seed=seed,
                        story="disable" if verb == "disable" else "restore",
                        picks=(0, 1, 6, 7),
                        drifted=(),
                        faults=(rule,),
                        limits=False,
                        timeout=timeout,
                    )


def _fault(dice: random.Random, story: str) -> str:
    kind = dice.choice(sorted(READS))
    provider = "tencent" if kind == "invoker" else "aws"
    reads = [*READS[kind], *(LISTS[kind] if story in ("filter", "triggers") else ())]
    verb = "enable" if story in ("enable", "restore") else "disable"
    writes = [SWITCHES[verb][kind]] * 3 if story in CHANGES else []
    fault = any_fault(dice)
    return struck(dice, provider, dice.choice([*reads, *writes, "*"] if fault in ANYWHERE else reads), fault)


def play(case: Case, home: Path, *, patience: float = 300.0) -> Played:
    """Run the command of a case in a world of its own; then, without faults, resume it and restore what it disabled."""
    with Outside(home, limits=case.limits, seed=1) as outside:
        known, at_first = switchable(outside), truths(outside)
        refs = tuple(known[pick] for pick in case.picks)
        drifted = frozenset(known[pick] for pick in case.drifted if at_first[known[pick]])
        operation = _disabled_before(outside, case, refs)
        _drift(outside, drifted)
        before = truths(outside)
        outside.box.log.clear()
        outside.faults(*case.faults)
        done = outside.run(*_argv(case, refs, operation), patience=patience)
        requests, after = outside.requests(), truths(outside)
        outside.faults()
        resumed = _resumed(outside, case, done)
        after_resume = truths(outside)
        id = operation or (done.document.get("operation") if case.verb == "disable" else None)
        enabled = None if id is None or drifted else restored(outside, id)
        return Played(
            case=case,
            refs=refs,
            drifted=drifted,
            done=done,
            requests=requests,
            at_first=at_first,
            before=before,
            after=after,
            resumed=resumed,
            after_resume=after_resume,
            restored=enabled,
            at_last=truths(outside),
        )


def _disabled_before(outside: Outside, case: Case, refs: tuple[str, ...]) -> str | None:
    if case.verb != "enable":
        return None
    operation: str = outside.json("disable", *refs)["operation"]
    return operation


def _drift(outside: Outside, drifted: frozenset[str]) -> None:
    windows = outside.box.world.book("aws", 0, "us-east-2").beside(Windows)
    for ref in drifted:
        windows[ref.rpartition("/")[2]].description = "changed by others"


def _argv(case: Case, refs: tuple[str, ...], operation: str | None) -> tuple[str, ...]:
    patience = ("--timeout", case.timeout, "--give-up-after", "8", "--lookup-timeout", "10")
    watch = (*patience, *(() if case.wait else ("--no-wait",)))
    argv = {
        "disable": ("disable", *refs, *watch),
        "enable": ("enable", *refs, *watch),
        "restore": ("enable", "--operation", operation or "last", "--confirm", _enabled(case), *watch),
        "filter": ("disable", "--name", "nightly-cleanup", "-p", "aws", "--yes", *watch),
        "dry-run": ("disable", *refs, "--dry-run"),
        "triggers": ("triggers",),
    }[case.story]
    return (*argv, "-o", "json")


def _enabled(case: Case) -> str:
    """How many a restore should enable: not what was disabled before, nor what others changed since."""
    return str(len([pick for pick in case.picks if pick != 5 and pick not in case.drifted]))


def _resumed(outside: Outside, case: Case, done: Done) -> Done | None:
    operation = done.document.get("operation")
    if operation is None or case.story not in CHANGES:
        return None
    return outside.run(case.verb, "--resume", operation, "-o", "json")


def restored(outside: Outside, id: str) -> Done | None:
    """Enable what an operation disabled; None where it disabled nothing."""
    planned = outside.run("enable", "--operation", id, "-n", "-o", "json")
    if planned.code == 2:
        return None
    count = sum(one["send"] for one in planned.document["triggers"])
    return outside.run("enable", "--operation", id, "--confirm", str(count), "-o", "json")
