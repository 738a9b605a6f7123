"""A failure of the journal in words."""

from runcancel.errors import JournalError


def failure_text(error: Exception) -> str:
    """What failed, as one sentence. What is no `JournalError` is a bug; the log has its frames."""
    if isinstance(error, JournalError):
        return str(error)
    import logging  # only for a bug

    logging.getLogger("runcancel.wire").error("the journal failed", exc_info=error)
    return f"the journal failed ({type(error).__name__})"
