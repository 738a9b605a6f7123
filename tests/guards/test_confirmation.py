"""The confirmation: when it is required, and what gives it."""

import pytest
from fakes import COMMAND
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from guards.plans import over, patches
from runcancel.errors import Refused
from runcancel.guards import confirmation
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation, Level
from runcancel.model.events import ConfirmedBy
from runcancel.model.outcomes import PlanItem
from runcancel.model.states import State

P, R, S = State.PENDING, State.RUNNING, State.SUCCEEDED
YES = ConfirmationRequirement(level=Level.YES, names=(), count=3, why="")
COUNT = ConfirmationRequirement(level=Level.TYPED, names=(), count=3, why="in 3 accounts")
NAMED = ConfirmationRequirement(level=Level.TYPED, names=("prod",), count=3, why="in protected context prod")
TWO_NAMES = ConfirmationRequirement(
    level=Level.TYPED, names=("prod", "live"), count=3, why="in protected contexts prod, live"
)
NONE = ConfirmationRequirement(level=Level.NONE, names=(), count=1, why="")


# what has to be said


def need(
    items: list[PlanItem], *, chosen: bool, accounts: str = "one", protected: tuple[str, ...] = ()
) -> ConfirmationRequirement:
    owners = {item.run: (accounts if accounts == "one" else str(item.run)) for item in items}
    return confirmation.required(
        items,
        by_filter=chosen,
        accounts=owners,
        protected=dict(zip((item.run for item in items), protected, strict=False)),
    )


def test_runs_named_one_by_one_need_no_word() -> None:
    assert need(patches(3), chosen=False, accounts="each").level is Level.NONE


def test_a_selection_needs_a_yes() -> None:
    assert need(patches(3), chosen=True) == ConfirmationRequirement(level=Level.YES, names=(), count=3, why="")


def test_a_selection_that_asks_nothing_needs_no_word() -> None:
    assert need([over()], chosen=True).level is Level.NONE
    assert need([], chosen=True).level is Level.NONE


def test_several_accounts_need_the_number() -> None:
    assert need(patches(3), chosen=True, accounts="each") == COUNT
    assert need(patches(2), chosen=True, accounts="each").level is Level.TYPED


def test_what_has_ended_in_another_account_makes_no_several_accounts() -> None:
    assert need([*patches(1), over(COMMAND)], chosen=True, accounts="each").level is Level.YES


@pytest.mark.parametrize("chosen", [True, False])
def test_a_protected_context_needs_its_name_or_the_number_however_it_was_chosen(chosen: bool) -> None:
    assert need(patches(3), chosen=chosen, protected=("prod",), accounts="each") == NAMED
    assert need(patches(3), chosen=chosen, protected=("prod", "prod", "live")) == TWO_NAMES


def test_a_protected_run_that_is_not_asked_needs_nothing() -> None:
    assert need([over(), *patches(1)], chosen=False, protected=("prod",)).level is Level.NONE


# what answers it


@pytest.mark.parametrize(
    ("wanted", "given", "answered"),
    [
        (NONE, GivenConfirmation(), True),
        (NONE, GivenConfirmation(confirm="1"), True),
        (YES, GivenConfirmation(), False),
        (YES, GivenConfirmation(yes=True), True),
        (YES, GivenConfirmation(confirm="3"), True),
        (COUNT, GivenConfirmation(), False),
        (COUNT, GivenConfirmation(yes=True), False),
        (COUNT, GivenConfirmation(confirm="3"), True),
        (NAMED, GivenConfirmation(yes=True), False),
        (NAMED, GivenConfirmation(confirm="prod"), True),
        (NAMED, GivenConfirmation(confirm="3"), True),
        (TWO_NAMES, GivenConfirmation(confirm="3"), True),
    ],
)
def test_what_the_command_line_answers(
    wanted: ConfirmationRequirement, given: GivenConfirmation, answered: bool
) -> None:
    assert (confirmation.given_by(wanted, given) is not None) is answered


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        (NONE, "2"),
        (YES, "2"),
        (YES, "yes"),
        (COUNT, "03"),
        (COUNT, "prod"),
        (NAMED, "PROD"),
        (NAMED, "live"),
        (TWO_NAMES, "prod"),
    ],
)
@pytest.mark.parametrize("yes", [True, False])
def test_a_wrong_confirmation_is_refused_even_beside_yes(wanted: ConfirmationRequirement, word: str, yes: bool) -> None:
    with pytest.raises(Refused) as refused:
        confirmation.given_by(wanted, GivenConfirmation(yes=yes, confirm=word))
    runs = "1 run matches" if wanted.count == 1 else "3 runs match"
    why = f" ({wanted.why})" if wanted.why else ""
    assert refused.value.message == (f"--confirm {word} does not match: {runs}{why}; nothing was sent")
    assert refused.value.hint == f"To proceed: use --confirm {wanted.count}   To preview: add --dry-run"


def test_where_nothing_is_left_to_send_any_confirmation_fits() -> None:
    nothing = ConfirmationRequirement(level=Level.NONE, names=(), count=0, why="")

    assert confirmation.given_by(nothing, GivenConfirmation(yes=False, confirm="3")) is ConfirmedBy.NOT_REQUIRED
    holds = structs.replace(nothing, holds=True)  # what joins later is confirmed now
    with pytest.raises(Refused, match="0 runs match"):
        confirmation.given_by(holds, GivenConfirmation(yes=False, confirm="3"))


@pytest.mark.parametrize(
    ("wanted", "question"),
    [
        (YES, "Cancel these 3 runs? [y/N/?] "),
        (COUNT, "3 runs in 3 accounts. Type 3 to confirm (? lists them): "),
        (NAMED, "3 runs in protected context prod. Type prod or 3 to confirm (? lists them): "),
        (TWO_NAMES, "3 runs in protected contexts prod, live. Type 3 to confirm (? lists them): "),
    ],
)
def test_what_a_person_is_asked(wanted: ConfirmationRequirement, question: str) -> None:
    assert confirmation.question(wanted) == question


@pytest.mark.parametrize(
    ("wanted", "reply", "fits"),
    [
        *((YES, word, True) for word in ("y", "Y", "yes", " YES \n")),
        *((YES, word, False) for word in ("", "n", "no", "3", "yep", "\n")),
        *((COUNT, word, True) for word in ("3", " 3\n")),
        *((COUNT, word, False) for word in ("y", "yes", "", "2", "3.0", "three")),
        *((NAMED, word, True) for word in ("prod", "3", "prod\n")),
        *((NAMED, word, False) for word in ("y", "", "Prod", "pro", "prod,live")),
        *((TWO_NAMES, word, False) for word in ("prod", "live", "y")),
        (TWO_NAMES, "3", True),
    ],
)
def test_what_a_reply_means(wanted: ConfirmationRequirement, reply: str, fits: bool) -> None:
    assert confirmation.accepts(wanted, reply) is fits


@given(st.text())
def test_only_its_words_answer_a_typed_question(reply: str) -> None:
    assert confirmation.accepts(NAMED, reply) is (reply.strip() in ("prod", "3"))


@given(st.text() | st.sampled_from(["?", " ?\n", "y", "N", "no", "3", "??"]))
def test_every_reply_means_one_thing(reply: str) -> None:
    for wanted in (YES, COUNT, NAMED, TWO_NAMES):
        meanings = [confirmation.accepts(wanted, reply), confirmation.declines(reply), confirmation.wants_list(reply)]
        assert sum(meanings) <= 1
    assert confirmation.wants_list(reply) is (reply.strip() == "?")


def test_where_nobody_can_be_asked_the_flags_are_named() -> None:
    refused = confirmation.nobody_to_ask(COUNT, "stdin is not a terminal")

    assert refused.message == (
        "3 runs match (in 3 accounts), and there is no terminal to confirm on (stdin is not a terminal); "
        "nothing was sent"
    )
    assert refused.hint == "To proceed: add --confirm 3   To preview: add --dry-run"
    assert confirmation.nobody_to_ask(YES, "--no-input").hint == "To proceed: add --yes   To preview: add --dry-run"
