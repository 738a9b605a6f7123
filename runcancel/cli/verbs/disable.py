"""`runcancel disable`: keep triggers from starting runs."""

from runcancel.cli.session import Session
from runcancel.cli.support.switching import Switching
from runcancel.cli.triggering import Change


def disable(session: Session, args: Change) -> int:
    """Disable triggers, so that they start no more runs.

    \b
    Examples:
      runcancel disable aws:us-east-2:window/mw-0c50858d01c0ffee0
      runcancel disable mw-0c50858d01c0ffee0 rule/default/nightly-cleanup
      runcancel disable --document AWS-RunShellScript -r all --dry-run
      runcancel disable --script "rm -rf /" --confirm 3 -o jsonl > disabled.jsonl
      runcancel triggers --starts-within 12h -o jsonl | runcancel disable -f - -n

    It changes the one switch of a maintenance window, an EventBridge rule or a TAT
    invoker, and reads it back. Runs that have started continue: cancel them.
    runcancel enable --operation last restores exactly what was found enabled.

    Exit codes: 0 verified disabled or disabled before, 1 failed, 2 wrong usage,
    3 partial, 4 not permitted, 5 not found, 6 nothing sent: refused or not
    confirmed, 7 incomplete, 8 sent but not verified disabled.
    """
    return Switching(session, args, enable=False).run()
