"""What the tests of the command line share."""

import pytest
from outside import Outside


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """The command without a cloud: enough for help, and for what is refused before anything is sent."""
    made = Outside(tmp_path_factory.mktemp("command") / "home")
    made.close()
    return made
