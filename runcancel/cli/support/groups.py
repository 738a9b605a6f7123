"""`runcancel contexts groups`: groups of contexts, listed and changed."""

from collections.abc import Iterable, Sequence

from runcancel.cli.session import Session
from runcancel.cli.verbs import OTHER_ACTIONS
from runcancel.config import edit
from runcancel.config import file as config_file
from runcancel.config.file import Config
from runcancel.config.references import did_you_mean, nearest
from runcancel.errors import Exit, UsageError
from runcancel.model.reports import GroupRow
from runcancel.render import End


def act(session: Session, words: Sequence[str]) -> int:
    """Carry out the arguments of `contexts groups`. Raises `UsageError`."""
    action, *names = words or ("list",)
    if action not in ACTIONS:
        near = other_word(action, ACTIONS)
        raise UsageError(f"unknown action “{action}” of groups. Expected one of: {', '.join(ACTIONS)}{near}")
    return ACTIONS[action](session, tuple(names))


def other_word(word: str, actions: Iterable[str]) -> str:
    """A did-you-mean clause for an action: what the word of another tool is here, else the nearest one."""
    there = tuple(actions)
    same = OTHER_ACTIONS.get(word)
    return did_you_mean(same) if same in there else nearest(word, there)


def _list(session: Session, names: tuple[str, ...]) -> int:
    if names:
        raise UsageError("contexts groups list takes no name; it shows every group with its contexts")
    return answer(session, session.settings.config)


def _add(session: Session, names: tuple[str, ...]) -> int:
    if len(names) < 2:
        raise UsageError(
            "contexts groups add takes a group and contexts, as in: runcancel contexts groups add all prod"
        )
    group, *members = names
    file = config_file.path(session.settings.environ)
    is_new = edit.add_to_group(file, group, members)
    session.notes.say(f"{'made group' if is_new else 'added to group'} {group}: {', '.join(members)}")
    return answer(session, config_file.load(file))


def _remove(session: Session, names: tuple[str, ...]) -> int:
    if not names:
        raise UsageError("contexts groups remove takes a group, and the contexts to remove from it")
    group, *members = names
    file = config_file.path(session.settings.environ)
    gone = edit.remove_from_group(file, group, members)
    what = f"removed group {group}" if gone else f"removed from group {group}: {', '.join(members)}"
    session.notes.say(what)
    return answer(session, config_file.load(file))


ACTIONS = {"list": _list, "add": _add, "remove": _remove}
"""What can be done with groups."""


def answer(session: Session, config: Config) -> int:
    """Print the groups."""
    writer = session.writer("groups")
    for name, members in config.all_groups.items():
        writer.row(GroupRow(name=name, contexts=members, default=name in config.default))
    nothing = "No group is configured. To make one: runcancel contexts groups add GROUP CONTEXT..."
    notes = () if config.all_groups else session.suggest(nothing)
    writer.end(End(exit_code=Exit.OK, notes=notes))
    return Exit.OK
