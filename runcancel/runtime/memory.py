"""A limit on address space (`ulimit -v`): as many threads as fit, or a refusal before anything is sent."""

import contextlib
import resource
from pathlib import Path

from runcancel.errors import CloudError
from runcancel.model.states import Reason

THREAD = 3 << 20
"""Bytes that a thread needs at most: its stack, a connection and an answer."""

NEEDED = 48 << 20
"""Bytes that must be free at the start: the clouds' modules, certificates, and the largest usual answers."""

_M_ARENA_MAX = -8  # of malloc.h


def threads_that_fit(most: int) -> int:
    """Up to `most` threads, as many as the limit on address space allows.

    Raises `CloudError` with `Reason.INTERNAL` where too little is left to do anything; nothing was sent then.
    """
    free = free_bytes()
    if free is None:
        return most
    _share_one_arena()
    if free < NEEDED:
        raise CloudError(
            Reason.INTERNAL,
            f"out of memory: the limit on address space leaves {free >> 20} MB and {NEEDED >> 20} MB are needed; "
            "nothing was sent",
            hint="raise the limit (ulimit -v)",
        )
    return max(1, min(most, (free - NEEDED) // THREAD))


def free_bytes() -> int | None:
    """What the limit on address space leaves to this process; None without a limit or a report of it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return max(0, limit - pages * resource.getpagesize())


def _share_one_arena() -> None:
    """Let all threads allocate from one arena: glibc takes 64 MB of address space for that of each thread.

    A thread that got none fails at a random place, and an import that failed there fails for ever.
    """
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
