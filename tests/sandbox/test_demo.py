"""The demo of a schedule: what comes back is disabled, cancelled, and restored, by the real command."""

import os

from outside import RUNCANCEL, ran


def test_what_a_window_starts_every_night_is_disabled_cancelled_and_restored() -> None:
    done = ran([RUNCANCEL], "sandbox", "demo", "--story", "schedule", environ={**os.environ, "COLUMNS": "80"})

    assert done.code == 0, str(done)
    before, _, rest = done.out.partition("Two days later. Nothing has started:")
    between, _, after = rest.partition("One more day later.")
    assert "$ runcancel triggers --name nightly-patching\n" in before
    assert "disabled  nightly-patching  enabled" in before
    assert "4 runs: 4 stopped" in done.err
    assert "maintenance-window/" not in between
    assert "enabled  nightly-patching  disabled" in between
    assert after.count("aws:us-east-2:maintenance-window/") == 1
    assert "02f05632-d0bc-470d-b1e5-c59a8d4f2a10" not in after
    assert done.out.splitlines()[-1].startswith("The simulated clouds are closed. To work in new ones: ")
