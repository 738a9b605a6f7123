"""`runcancel sandbox`: three simulated clouds on loopback, served or put around one command."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from runcancel.cli.app import Group, Verb
from runcancel.cli.support.demo import Story
from runcancel.cli.support.program import write_launcher
from runcancel.errors import UsageError
from runcancel.providers import PROVIDERS, provider

if TYPE_CHECKING:
    from runcancel.sandbox import Sandbox

app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
    help="Simulate three clouds on this machine, to try commands and to rehearse.\n\n"
    "Real SDKs and real vendor CLIs talk to them; nothing leaves the machine.\n\n"
    "\b\nExamples:\n"
    "  runcancel sandbox demo\n"
    "  runcancel sandbox exec -- runcancel list",
)

Port = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port on 127.0.0.1; 0 chooses a free one.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same runs and ids.")]
Speed = Annotated[
    float, typer.Option("--speed", metavar="X", min=0, help="Simulated seconds per real second; 0 stops the clock.")
]
Tick = Annotated[
    float | None, typer.Option("--tick", metavar="SECONDS", help="Advance the clock only by this much per request.")
]
Accounts = Annotated[
    int, typer.Option("--accounts", metavar="N", min=1, help="Number of accounts per cloud, each with its own keys.")
]
Regions = Annotated[
    int,
    typer.Option("--regions", metavar="N", min=0, help="Number of regions per cloud; more than usual have no runs."),
]
ExternalId = Annotated[
    str, typer.Option("--external-id", metavar="ID", help="The external id that every role requires.")
]
Fresh = Annotated[int, typer.Option("--fresh", metavar="N", min=0, help="Hide new runs from the first N reads.")]
Limits = Annotated[bool, typer.Option("--limits", help="Enforce the published rate limits.")]
Fault = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="RULE", help="[provider:]Action[@run]=kind[*times][,key=value]; repeatable."),
]

WELL_KNOWN = (
    "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10",
    "aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b",
    "aws:us-east-2:automation/6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d",
    "aws:us-east-2:automation/7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e",
    "alibaba:cn-hangzhou:t-7d2a745b412b4601b2d47f6a768d0001",
    "alibaba:cn-hangzhou:t-7d2a745b412b4601b2d47f6a768d0002",
    "alibaba:cn-hangzhou:t-7d2a745b412b4601b2d47f6a768d0003",
    "tencent:ap-guangzhou:inv-ib2lld37",
)


@app.command(cls=Verb)
def serve(
    *,
    port: Port = 0,
    seed: Seed = 1,
    speed: Speed = 1.0,
    tick: Tick = None,
    accounts: Accounts = 1,
    regions: Regions = 0,
    external_id: ExternalId = "",
    fresh: Fresh = 0,
    limits: Limits = False,
    fault: Fault = None,
) -> None:
    """Serve until Ctrl-C; print the variables that point to it.

    stdout has lines for the shell, stderr some references to try. Kinds of
    --fault that throttle: sliding-window and fixed-window (calls, seconds),
    refused-share (share), shared-window (calls, seconds, taken); each may have
    retry_after in milliseconds. An unknown fault prints the list of all faults.

    \b
    Examples:
      runcancel sandbox serve --port 8700 > sandbox.env &
      . ./sandbox.env; runcancel list
      runcancel sandbox serve --fault 'aws:CancelCommand=drop-after*1'
      runcancel sandbox serve --fault 'CancelInvocation=refused-share,share=0.5'
      curl http://127.0.0.1:8700/_sandbox/requests
    """
    signals: SimpleQueue[int] = SimpleQueue()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _frame: signals.put(number))
    with _open(
        port=port,
        seed=seed,
        speed=speed,
        tick=tick,
        accounts=accounts,
        regions=regions,
        external_id=external_id,
        fresh=fresh,
        limits=limits,
        fault=fault,
    ) as box:
        sys.stdout.write("".join(f"{line}\n" for line in shell_lines(os.environ, box.environment())))
        sys.stdout.flush()
        references = "".join(f"  {ref}\n" for ref in WELL_KNOWN)
        sys.stderr.write(f"three clouds at {box.url}; Ctrl-C stops them. Some runs:\n{references}")
        sys.stderr.flush()
        number = signals.get()
    raise typer.Exit(128 + number)


@app.command("exec", cls=Verb, context_settings={"allow_interspersed_args": False})
def exec_(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND [ARG]...", help="Command to run in the sandbox.")],
    *,
    port: Port = 0,
    seed: Seed = 1,
    speed: Speed = 1.0,
    tick: Tick = None,
    accounts: Accounts = 1,
    regions: Regions = 0,
    external_id: ExternalId = "",
    fresh: Fresh = 0,
    limits: Limits = False,
    fault: Fault = None,
) -> None:
    """Run a command that can reach only the sandbox.

    The command gets a new home directory and only the variables of the terminal,
    the language and the search paths; set others with env NAME=VALUE. runcancel
    in its PATH is this program, also if it is not installed. With --accounts its
    home has a profile and a context per account, in the group “everything”.
    The exit code is that of the command; 127 when it is not found.

    \b
    Examples:
      runcancel sandbox exec -- runcancel list
      runcancel sandbox exec -- aws ssm list-commands
      runcancel sandbox exec -- env DRILL=7 ./drill.sh
      runcancel sandbox exec --accounts 3 -- runcancel list -c everything -r all
      runcancel sandbox exec --speed 60 -- sh -c './drill.sh'
    """
    with (
        _open(
            port=port,
            seed=seed,
            speed=speed,
            tick=tick,
            accounts=accounts,
            regions=regions,
            external_id=external_id,
            fresh=fresh,
            limits=limits,
            fault=fault,
        ) as box,
        _new_home("runcancel-sandbox-") as home,
    ):
        from runcancel.sandbox import profiles
        from runcancel.sandbox.isolation import child_environment, mark_prompt

        mark_prompt(home)
        write_launcher(home / "bin")
        if accounts > 1:
            profiles.write(home, accounts)
        path = os.pathsep.join((str(home / "bin"), os.environ.get("PATH", os.defpath)))
        code = run_child(command, child_environment({**os.environ, "PATH": path}, box.environment(), home))
    raise typer.Exit(code)


@app.command(cls=Verb)
def demo(
    *,
    story: Annotated[Story, typer.Option("--story", help="What to show: a cancel, or a schedule that is held.")] = (
        Story.CANCEL
    ),
    seed: Seed = 1,
) -> None:
    """Cancel a bad patch on three simulated clouds and show the results.

    With --story schedule a maintenance window starts the patch every night: it is
    disabled, its runs are cancelled, days pass, and it is restored.

    \b
    Examples:
      runcancel sandbox demo
      runcancel sandbox demo --story schedule
    """
    from runcancel.cli.support.demo import play
    from runcancel.sandbox import Sandbox, SandboxOptions
    from runcancel.sandbox.isolation import child_environment

    with Sandbox(SandboxOptions(seed=seed)) as box, _new_home("runcancel-demo-") as home:
        environ = child_environment(os.environ, box.environment(), home)
        raise typer.Exit(play(story, environ, box.clock.advance))


def _vendors() -> tuple[str, ...]:
    return tuple(prefix for name in PROVIDERS for prefix in provider(name).variables)


def _open(
    *,
    port: int,
    seed: int,
    speed: float,
    tick: float | None,
    accounts: int,
    regions: int,
    external_id: str,
    fresh: int,
    limits: bool,
    fault: list[str] | None,
) -> "Sandbox":
    if tick is not None and speed != 1.0:
        raise UsageError("--tick moves the clock with each request: --speed cannot be used with it")
    from runcancel.sandbox import Sandbox, SandboxOptions
    from runcancel.sandbox.faults import BadFault

    options = SandboxOptions(
        port=port,
        seed=seed,
        speed=speed,
        tick=tick,
        accounts=accounts,
        regions=regions,
        external_id=external_id,
        fresh=fresh,
        limits=limits,
        faults=tuple(fault or ()),
    )
    try:
        return Sandbox(options)
    except BadFault as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None
    except OSError as error:
        _fail(f"cannot serve on port {port}: {error.strerror}", 1)


@contextmanager
def _new_home(prefix: str) -> Iterator[Path]:
    """A home directory that is removed at the end."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        _fail(
            f"cannot make a home directory for the sandbox: {reason}\n  set TMPDIR to a directory that can be written",
            1,
        )
    with folder as home:
        yield Path(home)


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"runcancel: {message}\n")
    raise typer.Exit(code)


def shell_lines(outer: Mapping[str, str], box: Mapping[str, str]) -> list[str]:
    """Lines that point a shell to the sandbox; other endpoints are unset."""
    from runcancel.sandbox.isolation import NO_METADATA, leads_outside

    variables = {**box, **NO_METADATA}
    own = _vendors()
    leads = (name for name in outer if leads_outside(name) or name.upper().startswith(own))
    stray = sorted(name for name in leads if name not in variables)
    unset = [f"unset {' '.join(stray)}"] if stray else []
    return unset + [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run to the end, pass signals on, and return the exit code as a shell would."""
    early: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def hand_on(number: int, _frame: FrameType | None) -> None:
        # Ctrl-C already reaches a child that shares the terminal: a second one would mean "leave at once".
        if child is None:
            early.append(number)
        elif number != signal.SIGINT or not _in_foreground():
            with suppress(ProcessLookupError):
                child.send_signal(number)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, hand_on)
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603  the user's own command
    except FileNotFoundError:
        _fail(f"{command[0]}: command not found", 127)
    except PermissionError:
        _fail(f"{command[0]}: permission denied", 126)
    for number in early:
        child.send_signal(number)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
