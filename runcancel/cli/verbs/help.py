"""`runcancel help`: the help of a verb, and topics that no single verb owns."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from runcancel.cli.bundles import Offers
from runcancel.cli.topics import TOPICS
from runcancel.cli.verbs import ALIASES, VERBS
from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.text import quoted


def help_(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC|VERB [ACTION]]", help="A topic or verb."),
        Offers(lambda: [*TOPICS, *VERBS]),
    ] = None,
) -> int:
    """Show the help of a verb or a topic.

    \b
    Examples:
      runcancel help cancel
      runcancel help contexts add
      runcancel help exit-codes

    Topics: exit-codes, references, filters, formats, guarantees, states,
    recurring, resume, environment.
    """
    from runcancel.cli.app import load
    from runcancel.cli.support import flushed
    from runcancel.cli.support.page import page

    topic, *action = words or ["help"]
    topic = ALIASES.get(topic, topic)
    if topic in TOPICS:
        _check_action(topic, action, ())
        return flushed(0, "".join(f"{line}\n" for line in TOPICS[topic]()))
    if topic not in VERBS:
        topics = (*TOPICS, *VERBS)
        raise UsageError(
            f"no help for “{topic}”. Topics: {', '.join(TOPICS)}, and every verb{nearest(topic, topics)}",
            hint="see: runcancel help",
        )
    command = load(topic)
    actions: Mapping[str, object] = getattr(command, "actions", None) or getattr(command, "commands", {})
    _check_action(topic, action, tuple(actions))
    return flushed(0, page() if topic == "help" else page(topic, *action))


def _check_action(topic: str, words: Sequence[str], actions: Sequence[str]) -> None:
    """Raise `UsageError` for a word behind a topic or verb that is not an action of it, and for one behind that."""
    if len(words) > 1 and words[0] in actions:
        raise UsageError(
            f"no help for “{topic} {quoted(words[0])} {quoted(words[1])}”",
            hint=f"see: runcancel help {topic} {words[0]}",
        )
    if words and words[0] not in actions:
        known = f" Actions: {', '.join(actions)}" if actions else ""
        raise UsageError(
            f"no help for “{topic} {quoted(words[0])}”.{known}{nearest(words[0], actions)}",
            hint=f"see: runcancel help {topic}",
        )
