"""Flow or frozen: whether runs are cancelled scope by scope as they are read, or all together after one plan."""

from collections.abc import Callable

from msgspec import Struct


class Facts(Struct, frozen=True, kw_only=True):
    """The facts in argv, configuration and policy before the first request."""

    typed: bool  # every run was typed on the command line
    references: int = 1
    max_runs: int | None = None
    targets: bool = False  # --target
    max_targets: bool = False  # a limit on targets
    protected: bool = False  # a run may be in a protected context
    policy: bool = False  # a run may fall under a rule of the site policy
    accounts: bool = False  # a rule of a provider in use is about accounts
    counts: bool = False  # a rule begins where a cancel sends more than so many
    guarantee: bool = False  # --require-guarantee, and a run that may be below
    confirm: bool = False  # --confirm, which has to fit
    chases: bool = False  # --stop-running
    parts: bool = False  # an id of a part of a run was typed, which is wrong usage


_FROZEN: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (lambda one: not one.typed, "not every run was typed on the command line"),
    (lambda one: one.protected, "a protected context may match"),
    (lambda one: one.policy, "a rule of the site policy may match"),
    (lambda one: one.accounts, "a rule is about accounts"),
    (lambda one: one.targets, "--target selects targets"),
    (lambda one: one.max_targets, "the number of targets is limited"),
    (lambda one: one.counts, "a rule counts runs or targets"),
    (lambda one: one.guarantee, "--require-guarantee needs a reading"),
    (lambda one: one.confirm, "--confirm must match the plan"),
    (lambda one: one.chases, "--stop-running includes the runs that these have started"),
    (lambda one: one.parts, "a part of a run was named"),
    (lambda one: one.max_runs is not None and one.references > one.max_runs, "more references than --max-runs"),
)
"""When the whole plan has to be known before anything is sent, and why."""


def why_frozen(facts: Facts) -> str | None:
    """Why the plan is frozen: everything is read before anything is sent. None where the runs flow."""
    return next((why for applies, why in _FROZEN if applies(facts)), None)
