"""Very many scopes in one command: a queue, not a thread and a handful of sockets for each."""

import contextlib
import json
import os
import subprocess
import threading

from outside import RUNCANCEL, Outside

REGIONS = {
    "aws": ["us-east-1", "us-east-2", "eu-west-1", "ap-southeast-1"],
    "alibaba": ["cn-hangzhou", "cn-shanghai", "ap-southeast-1"],
    "tencent": ["ap-guangzhou", "ap-shanghai", "ap-singapore"],
}
CONTEXTS = {"aws": 8, "alibaba": 16, "tencent": 74}
"""302 scopes, with a thread for each 140 sockets at once; most are of the cloud that is listed with one request."""


def test_hundreds_of_scopes_need_neither_their_number_of_threads_nor_of_sockets(outside: Outside) -> None:
    names = []
    lines = []
    for provider, regions in REGIONS.items():
        for number in range(CONTEXTS[provider]):
            names.append(f"{provider}-{number}")
            lines += [f"[contexts.{names[-1]}]", f'provider = "{provider}"', f"regions = {json.dumps(regions)}"]
    config = outside.home / "config" / "runcancel" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("\n".join([f"default = {json.dumps(names)}", *lines]))
    most = {"task": 0, "fd": 0}

    with subprocess.Popen(
        [RUNCANCEL, "list", "--limit", "100000", "-o", "ref", "-q"],
        env={**outside.environ, "XDG_CONFIG_HOME": str(config.parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.05):
                for what, known in tuple(most.items()):
                    with contextlib.suppress(OSError):
                        most[what] = max(known, len(os.listdir(f"/proc/{child.pid}/{what}")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, err = child.communicate(timeout=120)
        ended.set()
        watcher.join()

    assert (child.returncode, err) == (0, "")
    assert len({ref.partition("@")[0] for ref in out.splitlines()}) == len(names)
    assert most["task"] <= 65, most  # the caller's thread beside them
    assert most["fd"] <= 100, most
