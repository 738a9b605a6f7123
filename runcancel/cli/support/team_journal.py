"""What `history` does with the team's journal besides reading it: its tables, and what only this machine has."""

from collections.abc import Callable, Mapping

from runcancel.cli.session import Session
from runcancel.errors import Refused
from runcancel.render.screens.words import counted


def migrate(session: Session) -> tuple[str, ...]:
    """Create or update the tables of the team's journal; what was done. Raises `JournalError`."""
    lines = session.workers.read_input(session.journal.migrate)  # a signal ends the waiting for the server
    return lines or ("the team journal has all migrations; nothing was changed",)


def sync(session: Session) -> tuple[str, ...]:
    """Copy to the team's journal what only this machine has; what was copied. Raises `JournalError`."""
    ids, left_out = session.journal.sync()
    pruned = (
        f"{counted(left_out, 'operation')} not copied: older than the newest history prune there" if left_out else ""
    )
    return (*(f"copied {id}" for id in ids), f"{counted(len(ids), 'operation')} copied", *([pruned] if pruned else []))


TEAM_WORDS: Mapping[str, Callable[[Session], tuple[str, ...]]] = {"migrate": migrate, "sync": sync}
"""The words of `history` for it."""


def team_lines(session: Session, word: str) -> tuple[str, ...]:
    """Do what a word of `TEAM_WORDS` means. Raises `Refused` without a URL, and `JournalError`."""
    if session.journal.url is None:
        raise Refused(
            f"no team journal is configured, so there is nothing to {word}",
            hint='put url = "postgresql://HOST/DATABASE" under [journal] in the configuration, '
            "or set RUNCANCEL_JOURNAL_URL",
        )
    return TEAM_WORDS[word](session)
