"""Run a command and write its wall clock, CPU and peak memory to the descriptor named first, as JSON.

A process of its own, and a small one: on Linux a child's peak begins with what its parent held when it was started,
and the benchmark holds a whole sandbox.
"""

import json
import os
import subprocess
import sys
import time

report, *argv = sys.argv[1:]
began = time.perf_counter()
process = subprocess.Popen(argv)
_, status, usage = os.wait4(process.pid, 0)
measured = {
    "wall": time.perf_counter() - began,
    "cpu": usage.ru_utime + usage.ru_stime,
    "peak": usage.ru_maxrss / 1024,
    "code": os.waitstatus_to_exitcode(status),
}
os.write(int(report), json.dumps(measured).encode())
