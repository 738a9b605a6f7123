"""How whoever wants a command run talks to the copy that runs it. `shim.py` starts as fast as this module loads."""

import marshal
import os
import resource
import sys
from _socket import SCM_RIGHTS, SOL_SOCKET

AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_", "MALLOC_", "OPENSSL_", "COVERAGE_")
"""Beginnings of the names of variables that are read when a program starts, or when a library is loaded."""
NUMBER = 4  # bytes
SIGNALLED = b"!"
"""Through the line after the request: the copy was sent a signal, which may reach it when its command has ended."""


def at_start(environ):  # type: ignore[no-untyped-def]
    """The variables that a copy cannot be given any more."""
    return {name: value for name, value in environ.items() if name.startswith(AT_START)}


def place():  # type: ignore[no-untyped-def]
    """What a copy has of the process that it comes from: the session, and limits."""
    limits = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
    return [os.getsid(0), *map(resource.getrlimit, limits)]


def send(line, request, descriptors):  # type: ignore[no-untyped-def]
    """Want a command run with these descriptors."""
    text = marshal.dumps(request)
    rights = b"".join(each.to_bytes(4, sys.byteorder) for each in descriptors)
    line.sendmsg([len(text).to_bytes(NUMBER, "big")], [(SOL_SOCKET, SCM_RIGHTS, rights)])
    line.sendall(text)
