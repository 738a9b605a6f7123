"""`runcancel help`: the help of a verb, and topics that no single verb owns."""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

import typer

from runcancel.cli.verbs import ALIASES, VERBS
from runcancel.config import provenance
from runcancel.config.references import nearest
from runcancel.errors import INTERRUPTED, MEANINGS, UsageError
from runcancel.providers import PROVIDERS, provider

_WIDTH = 79

_REFERENCES = """\
A reference names one run:

  [context@][provider:][region:][kind/]id

Every output prints the full form. Every verb accepts it and any shorter form
that is unambiguous. A reference takes precedence over -c, -p and -r.

  inv-ib2lld37                                 Tencent Cloud: inv-
  t-7d2a745b412b4601                           Alibaba Cloud: t-
  4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b         AWS: looked up as a window,
                                               command or automation
  aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b
  prod-cn@alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601

The word before @ is a configured context, or else a profile of the vendor
(percent-encoded). Prefixes and patterns are not accepted. To select by name,
use a filter: runcancel cancel --name patch-openssl.

The ARN or the console URL of a run is also a reference. Quote URLs: shells
interpret ? and &. The credentials must belong to the account in the ARN.

  arn:aws:ssm:us-east-2:111122223333:automation-execution/ID
  'https://us-east-2.console.aws.amazon.com/systems-manager/run-command/ID'
  'https://console.cloud.tencent.com/tat/...?rid=1&id=inv-ib2lld37'

Several runs: runcancel list -o jsonl | runcancel cancel -f -
"""

_OWN_VARIABLES = (
    ("RUNCANCEL_CONTEXT, RUNCANCEL_PROVIDER", "-c, -p (lists split at commas)"),
    ("RUNCANCEL_PROFILE, RUNCANCEL_REGION", "--profile, -r"),
    ("RUNCANCEL_OUTPUT, RUNCANCEL_COLOR", "-o, --color"),
    ("RUNCANCEL_TIMEOUT", "--timeout"),
    ("RUNCANCEL_QUIET, RUNCANCEL_VERBOSE", "-q, -v (1 or 0)"),
    ("RUNCANCEL_DEBUG, RUNCANCEL_NO_INPUT", "--debug, --no-input (1 or 0)"),
    ("NO_COLOR, CLICOLOR, FORCE_COLOR, TERM=dumb", "colour on or off"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "location of configuration and journal"),
    ("HTTPS_PROXY, NO_PROXY", "proxy of requests to the clouds"),
)


def help_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOPIC|VERB [ACTION]]", help="A topic or verb.", autocompletion=lambda: [*TOPICS, *VERBS]
        ),
    ] = None,
) -> int:
    """Show the help of a verb or a topic.

    \b
    Examples:
      runcancel help cancel
      runcancel help contexts add
      runcancel help exit-codes

    Topics: exit-codes, references, guarantees, environment, permissions.
    """
    from runcancel.cli.app import app, load

    topic, *action = words or ["help"]
    topic = ALIASES.get(topic, topic)
    if topic == "help":
        command, path = app(VERBS), "runcancel"
    elif topic in VERBS:
        command, path = load(topic), f"runcancel {topic}"
    elif topic in TOPICS:
        sys.stdout.write("".join(f"{line}\n" for line in TOPICS[topic]()))
        return 0
    else:
        known = (*TOPICS, *VERBS)
        raise UsageError(
            f"no help for “{topic}”. Topics: {', '.join(TOPICS)}, and every verb{nearest(topic, known)}",
            hint="see: runcancel help",
        )
    command.main([*action, "--help"], prog_name=path, standalone_mode=False)
    return 0


def _exit_codes() -> Iterator[str]:
    yield "Exit codes (the same for every verb):"
    yield ""
    for code, meaning in MEANINGS.items():
        yield from _entry(str(int(code)), meaning, 17)
    yield from _entry("129, 130, 143", INTERRUPTED, 17)
    yield ""
    yield from _flowed(
        "The first match decides: a signal; wrong usage (2); a refusal before any request (6); then the runs. "
        "3: some targets or runs stopped and others did not. 8: no run is verified stopped. "
        "4 or 5: every run failed for that reason. 1: any other failure. "
        "A requested cancel is never reported as stopped."
    )


def _references() -> Iterator[str]:
    yield from _REFERENCES.splitlines()


def _guarantees() -> Iterator[str]:
    yield from _flowed(
        "What a cancel can do depends on the cloud and the kind of run. The plan shows it before any request; in JSON "
        "it is `guarantee`. --require-guarantee LEVEL refuses the whole cancel if a run has a weaker guarantee."
    )
    for name in PROVIDERS:
        cloud = provider(name)
        for kind in cloud.kinds:
            yield ""
            yield f"{name} {kind.name}: {kind.guarantee}"
            yield from _flowed(f"{kind.action}. {kind.promise}", indent=2)
    yield ""
    yield from _flowed(
        "Verdicts: stopped (verified: everything ended), reported (stopped according to the cloud, not verified), "
        "partial (some targets keep running), ended (already ended, or ended by itself), requested (accepted; the end "
        "is not verified yet), in-doubt (may or may not have been accepted), failed (not accepted), skipped (not sent)."
    )


def _environment() -> Iterator[str]:
    yield "Variables replace options of connection, output and timeout. Selection,"
    yield "limits and confirmation come only from the command line."
    yield ""
    for names, meaning in _OWN_VARIABLES:
        yield from _entry(names, meaning, 46)
    for name in PROVIDERS:
        cloud = provider(name)
        yield ""
        yield f"{cloud.title}:"
        yield from _entry("credentials", cloud.credentials, 15)
        yield from _entry("profile", ", ".join(("--profile", *cloud.profile_variables)), 15)
        yield from _entry("endpoint", ", ".join(provenance.endpoint_variables(name)), 15)
    yield ""
    yield "To see the source of each value: runcancel contexts show, or -v with any verb."


def _permissions() -> Iterator[str]:
    yield "A cancel needs one permission per kind, and the read permissions:"
    yield ""
    for name in PROVIDERS:
        for kind in provider(name).kinds:
            yield from _entry(f"{name} {kind.name}", kind.permission, 28)
    yield ""
    yield "Full policy:             runcancel permissions -p aws"
    yield "Read-only policy:        runcancel permissions -p aws --read-only"
    yield "Check these credentials: runcancel doctor"


TOPICS: Mapping[str, Callable[[], Iterator[str]]] = {
    "exit-codes": _exit_codes,
    "references": _references,
    "guarantees": _guarantees,
    "environment": _environment,
    "permissions": _permissions,
}


def _entry(term: str, text: str, width: int) -> list[str]:
    """`term   text`, the text flowed beside the term."""
    if len(term) + 3 > width:
        return [f"  {term}", *_flowed(text, indent=width)]
    first, *rest = _flowed(text, indent=width)
    return [f"  {term}".ljust(width) + first.strip(), *rest]


def _flowed(text: str, *, indent: int = 0) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text, _WIDTH, initial_indent=space, subsequent_indent=space, break_long_words=False, break_on_hyphens=False
    )
