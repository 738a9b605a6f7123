"""Topics of `runcancel help` that no single verb owns."""

import textwrap
from collections.abc import Callable, Iterator, Mapping

from runcancel.cli import tables
from runcancel.model.states import Fact
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

_FILTERS = """\
list, cancel and triggers select by filters. A run must pass each of them.
--status, --kind and --target take several values; it must pass one of them.

  --status STATE      pending, scheduled, running, cancelling, cancelled,
                      terminated, succeeded, failed, timed_out, undelivered,
                      skipped, unknown, or all. Without it: all that have not
                      ended.
  --kind KIND         command, invocation, maintenance-window, automation, …
                      state-machine and oos only if they are named here
  --name NAME         the name, the comment or the document is exactly this
  --name-glob GLOB    the same with * ? [abc]; quote it for the shell
  --document NAME     the document (AWS) or the command (c-…, cmd-…) is this
  --script TEXT       what the run executes contains this text
  --include-schedules with --kind oos: also runs that are schedules themselves
  --started-by TEXT   who started it, where the cloud lists that
  --since, --until    created or started at or after, at or before
  --older-than TIME   created or started longer ago than this
  --target ID         the run has this target; a cancel is for it alone

Case counts. An empty value is wrong usage. Times: 90s, 2h, 1h30m, 3d, 2w,
"2h ago", 2026-11-28, 2026-11-28T10:00:00+01:00, epoch seconds or milliseconds.

Where: without -c, -p and -r the default contexts, else every provider that has
credentials, in the region of its own configuration. -r all searches every
region. A scope that does not reply is an error, and the exit code is 7.

A cancel by filter shows its plan and asks. --yes answers. --confirm N answers
as well where the account, the context, or a match by comment, document or
script demands more.

  runcancel list -r all --name-glob 'patch-*' --since 2h
  runcancel cancel -r all --name-glob 'patch-*' --since 2h --dry-run
"""

_FORMATS = """\
--columns NAMES chooses columns of table, wide, tsv and csv, --sort NAMES[:desc]
sorts their rows, --no-headers leaves out the header.

--query EXPRESSION filters the document by JMESPath:

  runcancel list --query 'runs[?target_count > `100`].ref' -o tsv

Every key of a document is always there: null or empty if there is no value.
Keys are only added, never renamed; format_version counts that. runcancel
schema VERB prints the JSON Schema. Times in json, yaml, jsonl, tsv and csv are
UTC (RFC 3339); tables show local times with the zone.

Pipe lists as jsonl: its last line shows whether the list is complete. cancel
-f refuses an incomplete one. -o ref has no such line.

  runcancel list --older-than 2h -o jsonl | runcancel cancel -f -
"""

_RESUME = """\
Every cancel is an operation in the journal. Its intent is on disk before the
first request, and each reply when it arrives. After a kill, Ctrl-C, a closed
laptop or lost credentials the rest can be done later:

  runcancel history                            operations, the newest first
  runcancel history last                       its runs and their results
  runcancel cancel --resume last               continue with the rest
  runcancel cancel --resume 01K9                an id, or its unique beginning

--resume reads each run again first. What ended is not cancelled again. A cancel
without a reply is sent again only if the reading shows no effect. What was not
sent is sent. It needs no --yes; protected contexts and the site policy hold
again. Its limits stay, unless --max-runs or --max-targets is typed again.

Where another operation is cancelling a run, no second cancel is sent: the run
is watched, and who cancels it is printed. If no accepted reply is recorded
within 10 s, or if that operation has shown no sign of life for 30 s, the cancel
is sent from here. cancel --take-over sends it at once. Operations see each
other in the journal: those of one user on one machine, or those of a team
(RUNCANCEL_JOURNAL_URL).

--resume refuses (exit 6) an operation that another process is still carrying
out: its last sign of life is less than 30 s old, and it is on another machine
or it still exists on this one. --resume ID --take-over continues it at once.

To watch an operation, or to see what its runs print:

  runcancel status --operation last --watch
  runcancel wait --operation last --for stopped --timeout 10m
  runcancel logs --operation last --follow
  runcancel report last

--require-journal refuses a cancel that the journal cannot keep. After a cancel
with --no-journal nothing can be resumed. To delete old operations, and keep
unfinished ones: runcancel history prune --older-than 90d
"""


def _exit_codes() -> Iterator[str]:
    yield "Exit codes (the same for every verb):"
    yield ""
    yield from _entries(tables.exit_codes(), 17)
    yield ""
    yield from _flowed(
        "The first match decides: a signal; 2; 6, if nothing was sent; then the runs. 3: one failed or keeps running "
        "beside one that stopped or may stop. 8: none failed, and one is not verified stopped. 4 or 5: every run "
        "failed for that reason. 1: every run failed. Then the search: 7, or 5 with --require-match. Else 0. "
        "A requested cancel is never reported as stopped."
    )


def _references() -> Iterator[str]:
    yield from _REFERENCES.splitlines()


_LISTED = {Fact.DOCUMENT: "--document", Fact.SCRIPT: "--script", Fact.STARTED_BY: "--started-by"}
"""The filter that compares each fact."""


def _filters() -> Iterator[str]:
    yield from _FILTERS.splitlines()
    yield ""
    yield from _flowed(
        "A filter compares what a cloud lists. A kind that does not list it is named in a note and not searched. If no "
        "kind lists it, the filter is wrong usage. Besides names and comments the kinds list what these compare:"
    )
    yield ""
    for name in PROVIDERS:
        for kind in provider(name).kinds:
            flags = ", ".join(flag for fact, flag in _LISTED.items() if fact in kind.lists)
            yield from _entry(f"{name} {kind.name}", flags or "none", 28)
    yield ""
    yield "To print a script:      runcancel status REF --script"
    yield "To see who sent a run:  runcancel status REF --who"


def _formats() -> Iterator[str]:
    yield from _flowed(
        "-o FORMAT chooses how the answer is printed. stdout has the answer and nothing else; progress, questions, "
        "notes and errors go to stderr."
    )
    yield ""
    yield from _entries(tables.formats(), 11)
    yield ""
    yield from _FORMATS.splitlines()


def _resume() -> Iterator[str]:
    yield from _RESUME.splitlines()


def _states() -> Iterator[str]:
    yield "The words of results. Tables, JSON and the options use the same ones."
    for title, key in _WORDS.items():
        yield ""
        yield f"{title} ({key}):"
        yield ""
        yield from _entries(tables.words(title), 17)


_WORDS = {
    "State": "state, of a run or a target",
    "Guarantee": "guarantee, of a kind of run",
    "Effect": "effect of a cancel on a target",
    "Verdict": "verdict on a run",
    "Trigger verdict": "verdict on a trigger",
}


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
    yield "What each word means, and the verdicts: runcancel help states"


def _environment() -> Iterator[str]:
    yield "Variables replace options of connection, output and timeout. Selection,"
    yield "limits and confirmation come only from the command line."
    yield ""
    yield from _entries(tables.variables(), 28)
    for name in PROVIDERS:
        yield ""
        yield f"{provider(name).title}:"
        yield from _entries(tables.vendor_variables(name), 16)
    yield ""
    yield "Every source of credentials, in its order: docs/connecting.md."
    yield "To see the source of each value: runcancel contexts show, or -v with any verb."


_RECURRING = """\
  runcancel triggers --starts-within 12h       what starts next
  runcancel cancel ID --disable-triggers       disable its trigger, then cancel
  runcancel disable REFERENCE                  switch it off, and verify it
  runcancel enable --operation last            restore what was found enabled

A restore leaves alone what somebody has changed since (drifted), unless --force
is given. The output of disable -o jsonl is accepted by enable -f.

A schedule and an association are never changed. An update writes every field;
that of an association also runs it at once. triggers -o wide shows a command to
inspect each.

A periodic run of Alibaba Cloud is its own schedule: runcancel cancel ends it.
An SSM command does not tell what sent it. What started it is unknown; it may
start again. runcancel triggers --document and --script find what would do it.

While that is unknown, cancel what matches a filter and starts later:

  runcancel cancel --name patch-openssl --hold 30m --max-runs 50

This cancels the corrected run, too, if it matches. Each scope is listed at most
once in 30 s. Ctrl-C ends the hold with the report.
"""


def _recurring() -> Iterator[str]:
    yield "A trigger starts runs by itself. A cancel does not disable it."
    yield ""
    for form, title, switch in tables.triggers().rows:
        yield f"  {form:<23}{title:<37}{'can be disabled' if switch else 'listed only'}"
    yield ""
    yield from _RECURRING.splitlines()


TOPICS: Mapping[str, Callable[[], Iterator[str]]] = {
    "exit-codes": _exit_codes,
    "references": _references,
    "filters": _filters,
    "formats": _formats,
    "guarantees": _guarantees,
    "states": _states,
    "recurring": _recurring,
    "resume": _resume,
    "environment": _environment,
}


def _entries(table: tables.Table, width: int) -> Iterator[str]:
    for term, text in table.rows:
        yield from _entry(term, text, width)


def _entry(term: str, text: str, width: int) -> list[str]:
    """`term   text`, the text flowed beside the term."""
    if len(term) + 3 > width:
        return [*_flowed(term, indent=2), *_flowed(text, indent=width)]
    first, *rest = _flowed(text, indent=width)
    return [f"  {term}".ljust(width) + first.strip(), *rest]


def _flowed(text: str, *, indent: int = 0) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text, _WIDTH, initial_indent=space, subsequent_indent=space, break_long_words=False, break_on_hyphens=False
    )
