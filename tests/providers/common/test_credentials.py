"""Keys that have to be asked for: once, renewed before they end, and a failure that is final."""

import pytest
from opened import refused

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.credential_process import printed
from runcancel.providers.common.credentials import Credentials, Renewed, plain_words


class Asked:
    """Somebody who gives keys, or fails, and counts."""

    def __init__(self, *answers: Credentials | CloudError) -> None:
        self.answers = list(answers)
        self.times = 0

    def __call__(self) -> Credentials:
        self.times += 1
        answer = self.answers.pop(0)
        if isinstance(answer, CloudError):
            raise answer
        return answer


def keys(id: str, ends: int | None) -> Credentials:
    return Credentials(id=id, secret="s", token="t", expires_at=ends)


def test_a_role_is_assumed_once_and_renewed_before_it_ends() -> None:
    now = [0.0]
    asked = Asked(keys("1", 7200), keys("2", 14400))
    role = Renewed(asked, source="role", now=lambda: now[0])

    assert [role().id for _ in range(3)] == ["1", "1", "1"]
    now[0] = 7000.0
    assert role().id == "2"
    assert asked.times == 2


def test_keys_that_live_shortly_are_not_asked_for_with_every_request() -> None:
    now = [0.0]
    asked = Asked(keys("1", 100), keys("2", 200))
    role = Renewed(asked, source="role", now=lambda: now[0])

    assert [role().id for _ in range(5)] == ["1"] * 5
    now[0] = 95.0
    assert [role().id for _ in range(5)] == ["2"] * 5
    assert asked.times == 2


def test_keys_without_an_end_are_kept() -> None:
    asked = Asked(keys("1", None))
    role = Renewed(asked, source="role")

    assert [role().id for _ in range(3)] == ["1"] * 3
    assert asked.times == 1


def test_a_failure_is_final_and_never_said_to_be_worth_repeating() -> None:
    asked = Asked(CloudError(Reason.DOWN, "HTTP 503"))
    role = Renewed(asked, source="role ops")

    first, second = refused(role), refused(role)

    assert asked.times == 1
    assert first is not second
    assert {first.reason, second.reason} == {Reason.NO_CREDENTIALS}
    assert first.message == second.message == "role ops: HTTP 503"


def test_a_renewal_that_fails_leaves_the_old_keys_while_they_are_good() -> None:
    now = [0.0]
    asked = Asked(keys("1", 7200), CloudError(Reason.DOWN, "HTTP 503"), CloudError(Reason.DOWN, "HTTP 503"))
    role = Renewed(asked, source="role", now=lambda: now[0])

    role()
    now[0] = 7000.0
    assert [role().id for _ in range(3)] == ["1"] * 3
    assert asked.times == 2
    now[0] = 7200.0
    assert refused(role).reason is Reason.NO_CREDENTIALS


def test_keys_that_have_ended_when_they_come_are_expired() -> None:
    role = Renewed(Asked(keys("1", 1000)), source="role", now=lambda: 1000.0)

    assert refused(role).reason is Reason.EXPIRED_CREDENTIALS


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("Opening your browser\n", "Opening your browser"),
        ("\n  Opening your browser...  \nmore", "Opening your browser..."),
        ("Please sign in, then try again.", "Please sign in, then try again."),
        ('{"AccessKeyId": "AKIA', None),
        ("AKIAIOSFODNN7EXAMPLE", None),
        ("wJalrXUtnFEMIKMDENGbPxRfiCYEXAMPLEKEYabc", None),
        ("token=abc", None),
        ("", None),
    ],
)
def test_only_words_are_quoted_of_what_a_command_printed(output: str, words: str | None) -> None:
    assert plain_words(output) == words


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("echo Opening your browser", "printed no JSON: “Opening your browser”"),
        ("echo c4n4ry/Secret", "printed no JSON"),
        ("echo []", "printed JSON that is no object"),
        ("true", "printed no JSON: it printed nothing"),
        ("false", "exited with status 1"),
        ("sh -c 'echo The vault is sealed >&2; exit 3'", "exited with status 3: “The vault is sealed”"),
        ("sh -c 'kill -9 $$'", "was killed by signal 9"),
        ("/nowhere/tool --key c4n4ry", "cannot be run: no such file or directory"),
        ("echo 'open", "a quote is not closed"),
        ("  ", "is empty"),
    ],
)
def test_a_command_that_gives_no_keys_fails_in_words(command: str, says: str) -> None:
    error = refused(lambda: printed(command, "process_command of profile x"))

    assert error.reason is Reason.NO_CREDENTIALS
    assert says in error.message
    assert "c4n4ry" not in f"{error.message}{error.hint}"
