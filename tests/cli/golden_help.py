"""Writes `golden/help/`: the help of every verb and topic as it is now."""

from pathlib import Path
from tempfile import TemporaryDirectory

from outside import Outside
from test_help import GOLDEN, HELPS, TOPICS, text_of

if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home:
        command = Outside(Path(home) / "home")
        command.close()
        for topic in ("", *("-".join(verb) for verb in HELPS), *TOPICS):
            (GOLDEN / f"{topic or 'runcancel'}.txt").write_text(text_of(topic, command), encoding="utf-8")
