"""The format of the output: `--output`, `--query` and their values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runcancel import environment
from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.render import FORMATS, QUERYABLE

if TYPE_CHECKING:
    from runcancel.render.formats.query import Expression


def read_query(text: str) -> "Expression":
    """`--query` as an expression. Raises `UsageError`."""
    from runcancel.render.formats.query import Expression

    return Expression(text)


def format_of(output: str | None, *, query: str | None, environ: Mapping[str, str], default: str) -> str:
    """The format: `--output`, its variable, or the default, which is json for what a query finds.

    A variable that does not go with a query does not apply to it. Raises `UsageError`.
    """
    format = one_of("--output", output, environ, FORMATS, default if query is None else "json")
    if query is None or format in QUERYABLE:
        return format
    if output is None:
        return "json"
    raise UsageError(
        f"--query does not work with -o {format}. It works with: {', '.join(QUERYABLE)}; nothing was sent",
        hint="leave out -o to get JSON",
    )


def one_of(flag: str, value: str | None, environ: Mapping[str, str], words: Sequence[str], default: str) -> str:
    """The flag, its variable or the default, when it is one of the words. Raises `UsageError`."""
    choice = environment.text(flag, value, environ)
    if choice.value is None:
        return default
    if choice.value not in words:
        raise UsageError(
            f"{choice.origin} is “{choice.value}”. Expected one of: {', '.join(words)}{nearest(choice.value, words)}; "
            "nothing was sent"
        )
    return choice.value
