"""`--cli-input-json`: the options of any verb out of a JSON object; it may select, never consent or raise a cap."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from typer.core import TyperArgument, TyperOption

from runcancel.config.references import nearest
from runcancel.environment import plain_file
from runcancel.errors import UsageError
from runcancel.model.outcomes import MOST_RUNS
from runcancel.text import safe

FLAG = "--cli-input-json"
SKELETON = "--generate-cli-skeleton"
KINDS = ("input", "output")
"""What a skeleton can be of."""

_LARGEST = 1024 * 1024  # bytes: more is no request that a person has read
_OURS = frozenset({"cli_input_json", "generate_cli_skeleton", "help"})


def _always(_: Any) -> bool:
    return True


_READS = ("list", "show")
_TYPED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "yes": (_always, "type the confirmation on the command line: --yes"),
    "confirm": (_always, "type the confirmation on the command line: --confirm NAME|COUNT"),
    "stop_running": (_always, "type it on the command line, it cancels more runs: --stop-running"),
    "accept_reported": (_always, "type it on the command line: --accept-reported"),
    "allow_incomplete": (_always, "type it on the command line, it disables a guard: --allow-incomplete"),
    "hold": (_always, "type it on the command line, it cancels more runs: --hold DURATION"),
    "max_runs": (lambda most: most > MOST_RUNS, f"raise the limit above {MOST_RUNS} on the command line: --max-runs N"),
    "max_triggers": (
        lambda most: most > MOST_RUNS,
        f"raise the limit above {MOST_RUNS} on the command line: --max-triggers N",
    ),
    "disable_triggers": (bool, "type it on the command line, it changes triggers: --disable-triggers"),
    "force": (bool, "type it on the command line, it disables a guard: --force"),
    "take_over": (bool, "type it on the command line, it disables a guard: --take-over"),
    "require_journal": (lambda expected: not expected, "type it on the command line: --no-journal"),
    "no_check": (_always, "type it on the command line: --no-check"),
    "action": (lambda word: word not in _READS, "change the configuration on the command line: runcancel contexts …"),
    "operation": (lambda word: word == "prune", "delete on the command line: runcancel history prune"),
}
"""Key -> the values that no file may hold, and what to type instead."""


class Slot(Struct, frozen=True, kw_only=True):
    """One key that a request may have. `parameter` is the name under which the verb takes it."""

    key: str
    parameter: str
    expected: str
    empty: Any
    fits: Callable[[Any], bool]

    @property
    def offered(self) -> bool:
        """Whether a file may hold it at all."""
        return self.key not in _TYPED or _TYPED[self.key][0] is not _always


class Request(Struct, frozen=True, kw_only=True):
    """What a request holds that was not typed as well, by parameter. `on_stdin`: standard input is used up by it."""

    values: Mapping[str, Any] = {}
    on_stdin: bool = False


def options() -> list[TyperOption]:
    """The two options that every verb has beside those of its function."""
    return [
        TyperOption(
            param_decls=[FLAG],
            metavar="JSON|FILE|-",
            expose_value=False,
            help="Read options from a JSON object, file://FILE, FILE or - (stdin).",
        ),
        TyperOption(
            param_decls=[SKELETON],
            metavar="[input|output]",
            expose_value=False,
            help="Print a sample of that object, or of the output; send nothing.",
        ),
    ]


def spelled_out(args: Sequence[str], params: Iterable[Any]) -> list[str]:
    """The arguments with a bare `--generate-cli-skeleton` as `--generate-cli-skeleton=input`, where a verb has it."""
    if not any(SKELETON in param.opts for param in params):
        return list(args)
    end = args.index("--") if "--" in args else len(args)
    return [
        f"{word}=input" if word == SKELETON and at < end and [*args, ""][at + 1] not in KINDS else word
        for at, word in enumerate(args)
    ]


def read(source: str, params: Iterable[Any], *, typed: Iterable[str] = ()) -> Request:
    """The request that `--cli-input-json` names, for a verb with these parameters; `typed` are those given by hand.

    Raises `UsageError`: one line with the place in the JSON, what is wrong there and what would be right.
    """
    from runcancel.cli.support.files import called  # only where a request is given

    name, text = _text(source)
    values = checked(_object(text, name), slots(params), name)
    by_hand = frozenset(typed)
    rest = {parameter: value for parameter, value in values.items() if parameter not in by_hand}
    return Request(values=rest, on_stdin=name == called("-"))


def slots(params: Iterable[Any]) -> tuple[Slot, ...]:
    """The keys that a request for a verb with these parameters may have, in the order of its help."""
    return tuple(_slot(param) for param in params if param.name not in _OURS)


def checked(entries: Mapping[str, Any], slots: Sequence[Slot], name: str) -> dict[str, Any]:
    """The values by parameter, without the empty ones. Raises `UsageError`."""
    by_key = {slot.key: slot for slot in slots}
    offered = [slot.key for slot in slots if slot.offered]
    values: dict[str, Any] = {}
    for key, value in entries.items():
        if key not in by_key:
            raise UsageError(
                f"{name}: unknown key “{_shown(key)}”{nearest(key, offered)}; nothing was sent", hint=_HINT
            )
        slot = by_key[key]
        if slot.offered and value in ("", None, []):
            continue
        _check(slot, value, name)
        if value is not False or slot.empty is not False:
            values[slot.parameter] = value
    return values


_HINT = f"list the keys of a verb: runcancel VERB {SKELETON}"


def _slot(param: Any) -> Slot:
    key = param.name
    if not isinstance(param, TyperArgument):
        key = max(param.opts, key=len).lstrip("-").replace("-", "_")
    expected, empty, fits = _shape(param)
    return Slot(key=key, parameter=param.name, expected=expected, empty=empty, fits=fits)


def _shape(param: Any) -> tuple[str, Any, Callable[[Any], bool]]:
    if param.nargs == -1 or getattr(param, "multiple", False):
        return "a list of strings", [], lambda value: isinstance(value, list)
    if getattr(param, "is_flag", False):
        return "true or false", None if param.secondary_opts else False, lambda value: isinstance(value, bool)
    if param.type.name.split()[0] in ("int", "integer"):
        return "a whole number", None, lambda value: isinstance(value, int) and not isinstance(value, bool)
    return "a string", "", lambda value: isinstance(value, str)


def _check(slot: Slot, value: Any, name: str) -> None:
    if not slot.offered:
        raise UsageError(f"{name}: {slot.key} is not allowed in a file; {_TYPED[slot.key][1]}; nothing was sent")
    if not slot.fits(value):
        raise _misfit(name, slot.key, value, slot.expected)
    for at, each in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(each, str):
            raise _misfit(name, f"{slot.key}[{at}]", each, "a string")
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, str) and ("\0" in each or not _encodes(each)):
            raise UsageError(f"{name}: {slot.key} has an invalid character; nothing was sent")
    if slot.key in _TYPED and _TYPED[slot.key][0](value):
        raise UsageError(f"{name}: {slot.key} is {json.dumps(value)}; {_TYPED[slot.key][1]}; nothing was sent")


def _misfit(name: str, path: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"{name}: {path} is {_what(value)}; expected {expected}; nothing was sent", hint=_HINT)


_WORDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}


def _what(value: Any) -> str:
    return _WORDS.get(type(value)) or json.dumps(value)


def _text(source: str) -> tuple[str, str]:
    """What to call the request in messages, and its text."""
    bare = source.lstrip("\ufeff \t\r\n")
    if bare.startswith(("{", "[")):
        return FLAG, bare
    if not bare:
        raise UsageError(f"{FLAG} is empty (an unset variable?); nothing was sent")
    from runcancel.cli.support.files import called, text_of

    file = plain_file(FLAG, os.path.expanduser(source.removeprefix("file://")))
    try:
        return called(file), text_of(file, largest=_LARGEST)
    except UsageError as error:
        hint = "give a JSON object, file://FILE, FILE, or - for standard input"
        raise UsageError(f"{FLAG}: {error.message}", hint=hint) from None


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        what = f"is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"
    except _NotJson as error:
        what = str(error)
    except ValueError:  # digits without end
        what = "has a number that is too long"
    except RecursionError:
        what = "is nested too deeply"
    else:
        if isinstance(document, dict):
            return document
        what = f'is {_what(document)}; expected an object such as {{"refs": ["inv-ib2lld37"]}}'
    raise UsageError(f"{name} {what}; nothing was sent", hint=_HINT)


class _NotJson(ValueError):
    """Something that Python reads and that is no JSON, or is not meant by anybody."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise _NotJson(f"has “{_shown(key)}” twice")
        members[key] = value
    return members


def _no_number(word: str) -> None:
    raise _NotJson(f"is not JSON: {word} is not a JSON value")


def _shown(key: str) -> str:
    return safe(key if len(key) <= 40 else f"{key[:40]}…")


def _encodes(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
