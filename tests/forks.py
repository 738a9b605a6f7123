"""Commands that run in forks of one interpreter: for tests of what Python reads or loads from its start on.

python -P forks.py: stdin has JSON, `load` the modules that all forks have, `commands` with the `argv`, the variables
(`environ`) and perhaps the file for `stdout` of each, and whether each ends its stderr with the names of the modules
that it has loaded (`modules`). Stdout has the exit code, stdout and stderr of each.
"""

import json
import os
import sys
import tempfile
import traceback
from importlib import import_module
from typing import Any, NoReturn


def _main() -> None:
    wanted = json.load(sys.stdin)
    for name in wanted["load"]:
        import_module(name)
    json.dump([_forked(command, wanted["modules"]) for command in wanted["commands"]], sys.stdout)


def _forked(command: Any, modules: bool) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            stdout = os.open(command["stdout"], os.O_WRONLY) if command["stdout"] else out.fileno()
            for ours, number in ((stdout, 1), (err.fileno(), 2)):
                os.dup2(ours, number)
            _live(command, modules)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = []
        for each in (out, err):
            each.seek(0)
            texts.append(each.read().decode(errors="surrogateescape"))
        return code, *texts


def _live(command: Any, modules: bool) -> NoReturn:
    """Run it as a Python with these words and variables would."""
    code = 1
    try:
        from runcancel.cli import main, run

        os.environb.update({name.encode(): value.encode() for name, value in command["environ"].items()})
        sys.argv[:] = ["runcancel", *(os.fsdecode(word.encode()) for word in command["argv"])]
        if not modules:
            main()
        code = run(sys.argv[1:])
        print(*sys.modules, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - only the first process goes on with the next command
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _main()
