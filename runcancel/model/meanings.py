"""What each closed word means: the one source of the glossary, of `help states` and of the incident report."""

from collections.abc import Mapping

from runcancel.model.states import Effect, Guarantee, State, Verdict
from runcancel.model.triggers import TriggerVerdict

STATES: Mapping[State, str] = {
    State.PENDING: "not started yet",
    State.SCHEDULED: "will start at a set time",
    State.RUNNING: "started and not ended",
    State.CANCELLING: "a cancel is in progress",
    State.CANCELLED: "ended by a cancel; no read showed that it had started",
    State.TERMINATED: "stopped while running",
    State.SUCCEEDED: "ended without an error",
    State.FAILED: "ended with an error",
    State.TIMED_OUT: "ended by a time limit of the cloud",
    State.UNDELIVERED: "the cloud did not deliver it to the target",
    State.SKIPPED: "the cloud did not start it",
    State.UNKNOWN: "a word that runcancel does not know, or no word; it counts neither as ended nor as stopped",
}
GUARANTEES: Mapping[Guarantee, str] = {
    Guarantee.STOPS_RUNNING: "a cancel stops pending and running targets",
    Guarantee.BEST_EFFORT: "a cancel is a request; the process may not stop",
    Guarantee.PENDING_ONLY: "a cancel stops pending targets; running targets continue",
}
EFFECTS: Mapping[Effect, str] = {
    Effect.CANCELLED: "ended by a cancel before it started",
    Effect.TERMINATED: "stopped while running",
    Effect.KEPT_RUNNING: "still running, and the cancel does not stop it",
    Effect.ALREADY_ENDED: "ended before the cancel, or by itself",
    Effect.STOPPING: "the cancel was sent; the end is not verified yet",
    Effect.UNKNOWN: "the effect is not known",
}
VERDICTS: Mapping[Verdict, str] = {
    Verdict.STOPPED: "verified: the run and every selected target ended, and the cancel ended something",
    Verdict.REPORTED: "stopped according to the cloud; not verified",
    Verdict.PARTIAL: "some targets keep running, or a part of the cancel was refused",
    Verdict.ENDED: "had ended before, or ended by itself",
    Verdict.REQUESTED: "the cloud accepted the cancel; the end was not verified in time",
    Verdict.IN_DOUBT: "the cancel was sent, or perhaps sent; no reply or reading shows its result",
    Verdict.FAILED: "certainly not accepted: refused, not found or not reached",
    Verdict.SKIPPED: "not sent",
}
TRIGGER_VERDICTS: Mapping[TriggerVerdict, str] = {
    TriggerVerdict.DISABLED: "verified: it starts no runs until it is enabled",
    TriggerVerdict.ENABLED: "verified: it starts runs again",
    TriggerVerdict.UNCHANGED: "was in the requested state before; nothing was sent",
    TriggerVerdict.REQUESTED: "the cloud accepted the request; the new state was not verified in time",
    TriggerVerdict.IN_DOUBT: "the request was sent, or perhaps sent; no reply or reading shows its result",
    TriggerVerdict.DRIFTED: "changed by somebody after it was disabled; nothing was sent",
    TriggerVerdict.FAILED: "certainly not accepted: refused, not found or not reached",
    TriggerVerdict.SKIPPED: "not sent",
}
WORDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "State": tuple(STATES.items()),
    "Guarantee": tuple(GUARANTEES.items()),
    "Effect": tuple(EFFECTS.items()),
    "Verdict": tuple(VERDICTS.items()),
    "Trigger verdict": tuple(TRIGGER_VERDICTS.items()),
}
"""Title -> every word of its kind, in the order of the program."""
