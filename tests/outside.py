"""The program as its users meet it: the installed command in a process of its own, and a sandbox in place of clouds."""

import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

import pexpect
import pyte
import yaml
from children import Child, Seat
from jsonschema_rs import Draft202012Validator
from warm import Warm

import runcancel
from runcancel.render.documents import all_documents
from runcancel.sandbox import Sandbox, SandboxOptions
from runcancel.sandbox.control import add_runs
from runcancel.sandbox.faults import rule
from runcancel.sandbox.isolation import child_environment

RUNCANCEL = Path(sys.executable).parent / "runcancel"
"""The installed command beside the Python that runs the tests."""

WINDOW = "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"  # 5 succeeded, 3 running, 17 pending
COMMAND = "aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"  # 12 succeeded, 88 running
AUTOMATION = "aws:us-east-2:automation/6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"  # steps: 2 succeeded, 1 running, 3 pending
FANOUT = "aws:us-east-2:automation/7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e"  # children: 1 succeeded, 5 running, 2 pending
MACHINE = "aws:us-east-2:state-machine/arn:aws:states:us-east-2:111122223333:execution:nightly-etl:etl-2026-11-27"
MACHINE_ENDED = MACHINE.replace("11-27", "11-26")
OOS = "alibaba:cn-hangzhou:oos/exec-7d2a745b412b4601b2d4"  # tasks: 1 succeeded, 1 running, 2 pending
OOS_ENDED = "alibaba:cn-hangzhou:oos/exec-7d2a745b412b4601b2d5"
OOS_TIMER = "alibaba:cn-hangzhou:oos/exec-7d2a745b412b4601b2d7"
ONE_SHOT = "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0001"  # 31 pending, 9 running that keep on
KILLED = "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0002"  # 4 pending, 6 running that stop
SCHEDULE = "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0003"  # 6 scheduled, 2 running
TENCENT = "tencent:ap-guangzhou:invocation/inv-ib2lld37"  # 3 pending, 9 running
ENDED = (
    "aws:us-east-2:maintenance-window/0e1f2a3b-4c5d-4e6f-8a7b-8c9d0e1f2a3b",
    "aws:us-east-2:command/1f2a3b4c-5d6e-4f70-8a9b-0c1d2e3f4a5b",
    "aws:us-east-2:automation/2a3b4c5d-6e7f-4081-9a2b-3c4d5e6f7a8b",
    "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0009",
    "tencent:ap-guangzhou:invocation/inv-0ended0001",
)
"""One run of every kind that was over before."""

NOBODY = "tencent:ap-guangzhou:invocation/inv-00000000"

WRITES = frozenset(
    {
        "CancelMaintenanceWindowExecution",
        "CancelCommand",
        "StopAutomationExecution",
        "StopExecution",
        "CancelExecution",
        "StopInvocation",
        "CancelInvocation",
    }
)
"""The operations that change runs."""

SWITCHES = frozenset({"UpdateMaintenanceWindow", "DisableRule", "EnableRule", "DisableInvoker", "EnableInvoker"})
"""The operations that change triggers."""

READS = re.compile(r"(Describe|Get|List|Lookup|AssumeRole)")
"""How the operations begin that change nothing."""

_FORKS = Path(__file__).with_name("forks.py")
_OFTEN_LOADED = (
    *("email.parser", "http.client", "typer.main", "runcancel.cli.app", "runcancel.cli.verbs.cancel"),
    *("runcancel.cli.verbs.list", "runcancel.cli.verbs.status", "runcancel.journal.sqlite"),
    *("runcancel.providers.alibaba.cloud", "runcancel.providers.aws.cloud", "runcancel.providers.tencent.invocations"),
    *("runcancel.providers.tencent.wire", "runcancel.render.columns", "runcancel.render.formats.delimited"),
)
"""What most commands load, for forks that need not tell what they loaded."""
_LOOKS = ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "TERM", "COLUMNS", "LINES", "TZ", "DEBUG", "CI")
_SPEED = 20.0  # what a cancel takes in the sandbox is over before the first look; what runs goes on for 45 s and more


@dataclass(frozen=True, kw_only=True)
class Done:
    """One command that has ended."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Stdout as tsv: header -> field."""
        head, *rows = [line.split("\t") for line in self.out.splitlines()]
        return [dict(zip(head, row, strict=True)) for row in rows]

    @property
    def outcomes(self) -> dict[str, Any]:
        """The outcomes of a `cancel -o json` by reference."""
        return {outcome["run"]: outcome for outcome in self.document["outcomes"]}

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}\nexit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a terminal showed: every byte, the picture after every write, and the last picture."""

    code: int
    raw: bytes
    frames: tuple[str, ...]
    final: str


class Outside:
    """A sandbox, a fresh home, and the command.

    `env` of a call is for it alone; a variable that is None is taken away.
    """

    def __init__(self, home: Path, **options: Any) -> None:
        self.home = home
        self.box = Sandbox(SandboxOptions(**{"speed": _SPEED, **options}))
        self.environ: dict[str, str] = {}
        self.reset()

    def __enter__(self) -> "Outside":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.box.close()

    def reset(self) -> None:
        """Back to the start: the same runs, no faults, no requests, an empty home."""
        self.box.reset()
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        outer = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        self.environ = child_environment(outer, self.box.environment(), self.home) | {"LC_ALL": "C.UTF-8"}

    def run(
        self,
        *argv: str,
        env: Mapping[str, str | None] | None = None,
        stdin: str = "",
        patience: float = 60,
        before: str = "",
        check: bool = True,
    ) -> Done:
        """Run to the end, `patience` seconds at most. What is JSON is checked against the shipped schemas.

        `before` is Python that is run before the command in its process. Without `check` it may have died halfway.
        """
        environ = self._with(env)
        if not warm().fits(environ):
            assert not before
            return ran([RUNCANCEL], *argv, environ=environ, cwd=self.home, stdin=stdin, patience=patience)
        code, out, err = warm().run(argv, environ=environ, cwd=self.home, stdin=stdin, patience=patience, before=before)
        done = Done(argv=argv, code=code, out=out, err=err)
        return checked(done, environ) if check else done

    def forks(
        self,
        *commands: Sequence[str],
        env: Mapping[str, str | None] | None = None,
        own: Sequence[Mapping[str, str]] = (),
        modules: bool = False,
        stdout: str = "",
        prefix: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> list[Done]:
        """Run each to the end in a fork of one interpreter, which starts with these variables, after `prefix`.

        `own` has variables that each is given in its fork. With `modules` the last line of stderr names what a
        command loaded. Bytes that are no UTF-8 are as `surrogateescape` has them.
        """
        environ = self._with(env)
        own = own or [{}] * len(commands)
        load = ["runcancel.cli"] if modules else _OFTEN_LOADED
        wanted = [{"argv": argv, "environ": more, "stdout": stdout} for argv, more in zip(commands, own, strict=True)]
        done = subprocess.run(
            [*prefix, sys.executable, "-P", _FORKS],
            env=environ,
            cwd=cwd or self.home,
            input=json.dumps({"load": load, "commands": wanted, "modules": modules}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results = zip(commands, own, json.loads(done.stdout), strict=True)
        return [
            checked(Done(argv=tuple(argv), code=code, out=out, err=err), environ | dict(more))
            for argv, more, (code, out, err) in results
        ]

    def each(self, *commands: Sequence[str], env: Mapping[str, str | None] | None = None) -> list[Done]:
        """Run one after the other, as `run` does; all in forks where a copy would not do."""
        if warm().fits(self._with(env)):
            return [self.run(*argv, env=env) for argv in commands]
        return self.forks(*commands, env=env)

    def json(self, *argv: str, code: int = 0, env: Mapping[str, str | None] | None = None) -> Any:
        """The document of a command that ends with `code`."""
        done = self.run(*argv, "-o", "json", env=env)
        assert done.code == code, str(done)
        return done.document

    def interrupted(
        self, signum: int, *argv: str, until: str, times: int = 1, repeat: bool = False
    ) -> tuple[Done, float]:
        """Run, and send a signal (with `repeat` two) once the sandbox was asked `times` for the action `until`.

        With the seconds that it took to end.
        """
        child = self.start(*argv)
        try:
            self.wait_for(until, times=times)
            began = time.monotonic()
            child.send_signal(signum)
            if repeat:
                time.sleep(0.05)  # two at once are one to the kernel
                child.send_signal(signum)
            out, err = child.communicate(timeout=20)
            took = time.monotonic() - began
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
        done = Done(argv=argv, code=child.returncode, out=out, err=err)
        return checked(done, self._with(None)), took

    def start(
        self,
        *argv: str,
        env: Mapping[str, str | None] | None = None,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.PIPE,
        text: bool = True,
        before: str = "",
    ) -> Child:
        """Start, and do not wait for the end; with the files of `subprocess.Popen`, and Python that is run before."""
        environ, files = self._with(env), {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        assert warm().fits(environ)
        return Child(warm(), argv, environ=environ, cwd=self.home, text=text, before=before, **files)

    def seat(
        self,
        *argv: str,
        env: Mapping[str, str | None] | None = None,
        columns: int = 80,
        lines: int = 40,
        timeout: float = 60,
        encoding: str | None = None,
        stdin: int | None = None,
    ) -> Any:
        """Start on a terminal: something to expect text from and to type into, as pexpect has it.

        `stdin` is a descriptor that the command takes over, in place of the terminal.
        """
        environ = self._with({"TERM": "xterm-256color", **(env or {})})
        options = {"dimensions": (lines, columns), "timeout": timeout, "encoding": encoding}
        if warm().fits(environ):
            return Seat(warm(), argv, environ=environ, cwd=self.home, stdin=stdin, **options)
        assert stdin is None
        return pexpect.spawn(str(RUNCANCEL), [*argv], env=environ, cwd=str(self.home), **options)

    def wait_for(self, action: str, *, times: int = 1, seconds: float = 20.0) -> None:
        """Come back when the sandbox has answered, or is about to answer, `times` requests for an action."""
        deadline = time.monotonic() + seconds
        while self.actions().count(action) < times:
            assert time.monotonic() < deadline, f"{action} was not asked: {self.actions()}"
            time.sleep(0.01)

    def shell(self, script: str, env: Mapping[str, str | None] | None = None) -> Done:
        """Run bash with the command on its path."""
        environ = self._with({"PATH": self.path_to_copies, **(env or {})})
        return _ended(["bash", "--norc", "-c", script], ("bash",), environ, cwd=self.home)

    @property
    def path_to_copies(self) -> str:
        """Where a shell finds what has a copy run the command, and everything else."""
        return f"{warm().folder}{os.pathsep}{self.shell_path}"

    @property
    def shell_path(self) -> str:
        """Where a shell finds the command, and everything else."""
        return f"{RUNCANCEL.parent}{os.pathsep}{os.environ['PATH']}"

    def on_terminal(
        self,
        *argv: str,
        columns: int = 80,
        lines: int = 40,
        env: Mapping[str, str | None] | None = None,
        answer: str | None = None,
    ) -> Shown:
        """Run with all three streams on a terminal. The answer is typed when something is shown."""
        child = self.seat(*argv, columns=columns, lines=lines, env=env)
        screen = pyte.Screen(columns, lines)
        stream = pyte.ByteStream(screen)
        raw, frames, rows = b"", [], [""] * lines
        while True:
            try:
                part = child.read_nonblocking(size=65536, timeout=60)
            except pexpect.EOF:
                break
            if answer is not None and not raw:
                child.send(answer)
            raw += part
            stream.feed(part)
            for at in screen.dirty:
                rows[at] = row_of(screen, at).rstrip()
            screen.dirty.clear()
            frames.append("\n".join(rows))
        child.close()
        code = child.exitstatus if child.exitstatus is not None else 128 + (child.signalstatus or 0)
        return Shown(code=code, raw=raw, frames=tuple(frames), final=frames[-1].rstrip() if frames else "")

    def faults(self, *rules: str | Mapping[str, Any]) -> None:
        """From now on these faults and no others."""
        self.box.board.replace(rule(each) for each in rules)

    def add(self, provider: str, kind: str = "invocation", **spec: Any) -> str:
        """Add a run to account 0; its full reference."""
        region = spec.pop("region", {"aws": "us-east-2", "alibaba": "cn-hangzhou", "tencent": "ap-guangzhou"}[provider])
        (made,) = add_runs(self.box.world, {"provider": provider, "region": region, "kind": kind, **spec})
        return f"{provider}:{region}:{kind}/{made}"

    def requests(self) -> list[Any]:
        """Every API request so far. Request ids are in small letters here, whatever the cloud wrote."""
        return self.box.log.shown()

    def actions(self) -> list[str]:
        """The actions that were asked for, in order."""
        return [each["action"] for each in self.requests()]

    def strange(self) -> set[str]:
        """Actions that this program requested and must not: neither a read nor a cancel nor a switch.

        A request that was refused before its action was read has none.
        """
        ours = {one["action"] for one in self.requests() if str(one["user_agent"]).startswith("runcancel/")} - {""}
        return {action for action in ours if not READS.match(action)} - WRITES - SWITCHES

    def writes(self) -> list[Any]:
        """Every request for an operation that changes something, whether it worked or not."""
        return [each for each in self.requests() if each["action"] in WRITES]

    def effective(self, ref: str) -> list[Any]:
        """Every request that changed the run."""
        return [each for each in self.writes() if each["effective"] and id_of(ref) in _texts(each["params"])]

    def truth(self, ref: str) -> Any:
        """What is really true of a run and its targets."""
        provider, region, _ = ref.rpartition("@")[2].split(":", 2)
        with self.box.world.lock:
            now = self.box.world.now()
            run = self.box.world.book(provider, 0, region).runs[id_of(ref)]
            targets = [{"id": name, "state": str(word), "cancels": cancels} for name, word, cancels in run.truth(now)]
            return {"state": str(run.state(now)), "targets": targets}

    def states(self, ref: str) -> dict[str, int]:
        """True states of the targets of a run, counted."""
        return dict(Counter(target["state"] for target in self.truth(ref)["targets"]))

    def targets(self, ref: str, *states: str) -> list[str]:
        """The targets of a run that are really in one of the states, or all."""
        return [one["id"] for one in self.truth(ref)["targets"] if not states or one["state"] in states]

    def _with(self, env: Mapping[str, str | None] | None) -> dict[str, str]:
        chosen: dict[str, str | None] = {**self.environ, **(env or {})}
        return {name: value for name, value in chosen.items() if value is not None}


def script(
    text: str,
    *,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: int | IO[Any] = subprocess.PIPE,
    stderr: int | IO[Any] = subprocess.PIPE,
) -> Child:
    """Start Python in a copy: a process of its own, which has the program and what it uses loaded."""
    files = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    before = f"{text}\nraise SystemExit\n"  # instead of the command
    return Child(warm(), (), environ=os.environ, cwd=Path.cwd(), before=before, **files)


@cache
def warm() -> Warm:
    """One for all tests of a worker; it ends with the worker."""
    outer = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    made = Warm(RUNCANCEL, outer | {"LC_ALL": "C.UTF-8"})
    atexit.register(made.close)
    return made


def row_of(screen: pyte.Screen, at: int) -> str:
    """One line of `screen.display`, which makes them all."""
    line = screen.buffer[at]
    return "".join(line[x].data for x in range(screen.columns))


def _is_ours(name: str) -> bool:
    """Whether a variable of whoever runs the tests would change what users see, or how fast."""
    return name in _LOOKS or name.startswith("PYTHON")


def id_of(ref: str) -> str:
    """The id in a full reference."""
    return ref.partition("/")[2]


def named(request: Any, targets: Iterable[str]) -> list[str]:
    """Which of the targets a request names, however its cloud writes a list."""
    found = set(_texts(request["params"]))
    return [target for target in targets if target in found]


def ran(
    command: Sequence[str | Path],
    *argv: str,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str = "",
    patience: float = 60,
) -> Done:
    """What `command`, which is the program in some guise, did with `argv`; its JSON is checked."""
    return checked(_ended([*command, *argv], argv, environ, cwd=cwd, stdin=stdin, patience=patience), environ)


def _ended(
    command: Sequence[str | Path],
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    cwd: Path | None,
    stdin: str = "",
    patience: float = 60,
) -> Done:
    done = subprocess.run(
        command, env=environ, input=stdin, capture_output=True, text=True, timeout=patience, check=False, cwd=cwd
    )
    return Done(argv=argv, code=done.returncode, out=done.stdout, err=done.stderr)


def checked(done: Done, environ: Mapping[str, str]) -> Done:
    """The same, once what it printed as JSON was found to be what the shipped schemas promise."""
    format = _format(done.argv, environ)
    if any(word.partition("=")[0] == "--query" for word in done.argv):
        return done
    if format == "json":
        check_document(done.document)
    if format == "yaml":
        check_document(yaml.safe_load(done.out))
    if format == "jsonl":
        for line in done.lines:
            _check("jsonl", line)
        assert done.lines[-1]["type"] == "end", str(done)
        assert done.lines[-1]["exit_code"] == done.code, str(done)
        assert sum(line["type"] == "end" for line in done.lines) == 1, str(done)
    return done


def check_document(document: Any) -> None:
    """Hold a document against the schema of its verb."""
    keys = document.keys() & {one.key for one in all_documents().values()}
    special = {"plan": "plan", "settings": "settings", "groups": "groups", "changes": "imports"}
    names = [special[key] for key in keys if key in special]
    names += ["operation"] if {"operations", "outcomes"} <= keys and document["verb"] == "history" else []
    names += [f"{document['verb']}-plan"] if keys == {"triggers"} and document["verb"] != "triggers" else []
    _check(names[0] if names else document["verb"] if keys else "error", document)


def _format(argv: Iterable[str], environ: Mapping[str, str]) -> str | None:
    words = list(argv)
    if "--help" in words or "--version" in words:
        return None
    for at, word in enumerate(words):
        if word in ("-o", "--output") and at + 1 < len(words):
            return words[at + 1]
        if word.startswith("--output="):
            return word.removeprefix("--output=")
    return environ.get("RUNCANCEL_OUTPUT")


def _check(name: str, value: Any) -> None:
    type = str(value.get("type", "")) if isinstance(value, dict) else ""
    errors = validator(name, type).iter_errors(value)
    problems = [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in errors]
    assert not problems, f"not what schemas/{name}.json promises: {problems}"


@cache
def validator(name: str, type: str = "") -> Draft202012Validator:
    """Of a shipped schema; of one that tells lines apart by their type only what a line of this type must be."""
    path = Path(runcancel.__file__).parent / "schemas" / f"{name}.json"
    schema = json.loads(path.read_text())
    branch = schema.get("discriminator", {}).get("mapping", {}).get(type)
    if branch is not None:
        schema = {"$ref": branch, "$defs": schema["$defs"]}
    return Draft202012Validator(schema, validate_formats=True, formats={"date-time": _is_time})


def _is_time(text: str) -> bool:
    try:
        return text.endswith("Z") and datetime.fromisoformat(text).utcoffset() is not None
    except ValueError:
        return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""What a signal leaves as exit code."""
