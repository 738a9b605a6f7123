"""What is wrong with a reference, and what would be right."""

import re

from runcancel.errors import UsageError
from runcancel.providers import PROVIDERS, provider
from runcancel.redaction import bare_urls
from runcancel.text import command, quoted

FORM = "[context@][provider:][region:][kind/]id"
_LIKE_A_UUID = re.compile(r"[0-9a-f]{8}[0-9a-f-]*", re.IGNORECASE)


def wrong(text: str, why: str) -> UsageError:
    """A text that is not a reference, and why."""
    return UsageError(
        f"“{quoted(bare_urls(text))}” is not a reference: {why}; nothing was sent",
        hint=f"The form of a reference: {FORM}",
    )


def no_such_id(text: str, id: str, *, kind: str | None, provider_name: str | None, trigger: bool) -> UsageError:
    """An id that no provider (of that name and kind) has. `trigger`: the id of one was expected."""
    if not id:
        return wrong(text, "the id is missing")
    expected = _shapes(triggers=trigger)
    what = "trigger" if trigger else "run"
    if id == text:
        message = f"“{quoted(id)}” is not a {what} id. Expected {expected}; nothing was sent"
        return UsageError(message, hint=_how_to_find(id, trigger=trigger))
    forms = {one.form for name in PROVIDERS for one in provider(name).kinds if one.name == kind} - {""}
    kind = kind or what
    article = "an" if kind[0] in "aeiou" else "a"
    of = "" if provider_name is None else f" of {provider_name}"
    return wrong(
        text, f"“{quoted(id)}” is not {article} {kind} id{of}; expected {' or '.join(sorted(forms)) or expected}"
    )


_LONGEST_NAME = 256  # characters: what is longer names nothing, and is not printed again


def _how_to_find(word: str, *, trigger: bool) -> str:
    """What to do about a word that is not an id: a cut one is copied again, a name or a target is searched."""
    clouds = list(map(provider, PROVIDERS))
    kinds = [kind.form for cloud in clouds for kind in cloud.trigger_kinds]
    forms = kinds if trigger else [form for cloud in clouds for form in cloud.ids]
    prefixes = [form.rpartition("/")[2].partition("…")[0] for form in forms if "…" in form]
    if word.lower().startswith(tuple(prefixes)) or _LIKE_A_UUID.fullmatch(word):
        return f"copy the whole id: this one is cut off, too long, or has a wrong character. The form: {FORM}"
    if len(word) > _LONGEST_NAME:
        return f"The form of a reference: {FORM}"
    if trigger:
        return f"To find triggers by name: {command('triggers', '--name', word)}"
    return f"To find runs by name: {command('list', '--name', word)}   By target: {command('list', '--target', word)}"


def another_sort(text: str, *, trigger: bool) -> UsageError:
    """A trigger where a run is expected, or with `trigger` a run where one is."""
    verb, what, not_a = ("cancel", "run", "trigger") if trigger else ("disable", "trigger", "run")
    return UsageError(
        f"“{quoted(text)}” names a {what}, not a {not_a}; nothing was sent",
        hint=f"To {verb} it:",
        call=(verb, text),
    )


def _shapes(*, triggers: bool) -> str:
    """The forms of ids, for the message about an unknown form."""
    providers = list(map(provider, PROVIDERS))
    if triggers:
        shapes = [
            f"{', '.join(k.form for k in one.trigger_kinds)} ({one.title})" for one in providers if one.trigger_kinds
        ]
    else:
        shapes = [f"{' or '.join(one.ids)} ({one.title})" for one in providers]
    return " or ".join([", ".join(shapes[:-1]), shapes[-1]] if shapes[1:] else shapes)
