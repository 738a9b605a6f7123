"""The command as shells find it: has a copy run it, with every descriptor and signal of the shell's own process."""

import _signal
import os
import sys
from _socket import AF_UNIX, MSG_WAITALL, SOCK_STREAM, socket

from protocol import NUMBER, SIGNALLED, at_start, place, send

_HANDED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


def main(listener: str, program: str, variables: dict[str, str], at: list[object]) -> None:
    """Where a copy would not be the same, start the program itself."""
    descriptors = sorted(each for each in map(int, os.listdir("/dev/fd")) if _is_handed_on(each))
    environ = dict(os.environ)
    if at_start(environ) != variables or place() != at:
        os.execv(program, [program, *sys.argv[1:]])
    line = socket(AF_UNIX, SOCK_STREAM)
    line.connect(listener)
    pid = int.from_bytes(line.recv(NUMBER, MSG_WAITALL), "big")
    sent: list[int] = []

    def hand_on(signum: int, _: object) -> None:
        sent.append(signum)
        os.kill(pid, signum)

    ignored = [int(each) for each in _HANDED_ON if _signal.getsignal(each) == _signal.SIG_IGN]
    for each in _HANDED_ON:
        if each not in ignored:
            _signal.signal(each, hand_on)
    request = {"argv": [program, *sys.argv[1:]], "environ": environ, "cwd": os.getcwd()}
    send(line, {**request, "descriptors": descriptors, "ignored": ignored, "umask": _umask()}, descriptors)
    for each in descriptors:
        os.close(each)
    code = int.from_bytes(line.recv(NUMBER, MSG_WAITALL), "big", signed=True)
    if sent:
        try:
            line.sendall(SIGNALLED)
        except OSError:
            sent.clear()  # the copy has ended, too
    if code < 0:
        _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _is_handed_on(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the one that listed them
        return False


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
