"""Run a command and write the CPU seconds that each package took to load, as JSON, to the file named first.

Also the start of the interpreter and the whole. `python -X importtime` counts wall clock, which is of no use on a
machine that has other work.
"""

import importlib._bootstrap as bootstrap
import json
import os
import sys
import threading
import time
from types import ModuleType
from typing import Any

report, *sys.argv = sys.argv[1:]
seconds: dict[str, float] = {"interpreter": time.process_time()}
local = threading.local()
private: Any = bootstrap
load = private._find_and_load


def watched(name: str, import_: object) -> ModuleType:
    """Load a module. Its package has the time that the imports within it did not take."""
    inner: list[float] = local.__dict__.setdefault("inner", [0.0])  # one number for each import under way
    began = time.thread_time()
    inner.append(0.0)
    try:
        module: ModuleType = load(name, import_)
    finally:
        took = time.thread_time() - began
        package = name.partition(".")[0]
        seconds[package] = seconds.get(package, 0.0) + took - inner.pop()
        inner[-1] += took
    return module


private._find_and_load = watched
from runcancel.cli import run  # noqa: E402

code = run(sys.argv[1:])
sys.stdout.flush()
with open(report, "w", encoding="utf-8") as file:
    json.dump({**seconds, "total": time.process_time()}, file)
os._exit(code)
