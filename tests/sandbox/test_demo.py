"""The demo of a schedule: what comes back is disabled, cancelled, and restored, by the real command."""

from outside import Outside, warm

_BY_COPIES = "from runcancel.cli.support import demo\ndemo.own_command = lambda: ({!r},)\n"


def test_what_a_window_starts_every_night_is_disabled_cancelled_and_restored(outside: Outside) -> None:
    """The commands of its scenes are started as a shell would; `test_program.py` has how the program finds itself."""
    by_copies = _BY_COPIES.format(str(warm().folder / "runcancel"))
    done = outside.run("sandbox", "demo", "--story", "schedule", env={"COLUMNS": "80"}, before=by_copies)

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
