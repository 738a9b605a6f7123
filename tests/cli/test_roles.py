"""Contexts that assume a role: one AssumeRole per account, and errors that stay in their own account."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from outside import Outside

EXTERNAL = "ticket/4711"
ROLES: Mapping[str, str] = {
    "aws": "arn:aws:iam::{0}:role/ops/runcancel",
    "alibaba": "acs:ram::{0}:role/runcancel",
    "tencent": "qcs::cam::uin/{0}:roleName/runcancel",
}
FIRST = {"aws": 111122223333, "alibaba": 1234567890123456, "tencent": 100000000001}
NOWHERE = {"alibaba": "cn-nowhere", "tencent": "ap-anywhere"}  # a region of AWS that is not there has no host
every_cloud = pytest.mark.parametrize("cloud", ROLES)


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Outside]:
    with Outside(tmp_path / "home", accounts=3, external_id=EXTERNAL) as outside:
        yield outside


def role(cloud: str, account: int) -> str:
    return ROLES[cloud].format(FIRST[cloud] + account)


def configure(outside: Outside, cloud: str, numbers: range, **more: str) -> list[str]:
    """A context for each account; their names."""
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{cloud}-{number}" for number in numbers]
    lines = []
    for name, number in zip(names, numbers, strict=True):
        values = {"provider": cloud, "role_arn": role(cloud, number), "external_id": EXTERNAL, **more}
        lines += [f"[contexts.{name}]", *(f'{key} = "{value}"' for key, value in values.items()), ""]
    (folder / "config.toml").write_text("\n".join(lines))
    return names


def assumed(outside: Outside) -> Counter[str]:
    found = [each for each in outside.requests() if each["action"] == "AssumeRole"]
    return Counter(each["params"]["RoleArn"] for each in found)


@every_cloud
def test_a_role_is_assumed_once_for_all_regions_of_its_account(cloud: str, accounts: Outside) -> None:
    names = configure(accounts, cloud, range(3))

    runs = accounts.json("list", "-c", ",".join(names), "-r", "all", "--limit", "0")["runs"]

    assert {run["context"] for run in runs} == set(names)
    assert len({(run["context"], run["region"]) for run in runs}) >= 9
    assert assumed(accounts) == {role(cloud, number): 1 for number in range(3)}
    listings = [each for each in accounts.requests() if each["action"].startswith(("List", "DescribeInvocations"))]
    assert {each["account"] for each in listings} == {0, 1, 2}


@every_cloud
def test_keys_that_a_kept_connection_loses_are_requested_again(cloud: str, accounts: Outside) -> None:
    names = configure(accounts, cloud, range(3))
    accounts.faults("*=stale")

    document = accounts.json("list", "-c", ",".join(names))

    assert {run["context"] for run in document["runs"]} == set(names)
    assert document["errors"] == []


@every_cloud
def test_the_session_names_the_program_and_its_user(cloud: str, accounts: Outside) -> None:
    (name,) = configure(accounts, cloud, range(1, 2))

    found = accounts.json("doctor", "-c", name, env={"LOGNAME": "jörg o'neil@example.com"})["scopes"]

    (request,) = [each for each in accounts.requests() if each["action"] == "AssumeRole"]
    assert request["params"]["RoleSessionName"] == "runcancel-j-rg-o-neil@example.com"
    assert {row["account"] for row in found} == {str(FIRST[cloud] + 1)}
    assert all(":assumed-role/runcancel" in row["principal"] for row in found)
    assert all(row["credentials"].startswith(f"role {role(cloud, 1)}") for row in found)


@every_cloud
def test_a_role_that_is_refused_is_a_row_of_its_own_account(cloud: str, accounts: Outside) -> None:
    names = configure(accounts, cloud, range(4))  # nobody has the fourth account

    document = accounts.json("list", "-c", ",".join(names), "-r", "all", "--limit", "0", code=7)

    assert {run["context"] for run in document["runs"]} == set(names[:3])
    assert {error["scope"].partition("@")[0] for error in document["errors"]} == {names[3]}
    assert all(role(cloud, 3) in error["message"] for error in document["errors"])
    assert assumed(accounts)[role(cloud, 3)] == 1


@every_cloud
def test_a_wrong_external_id_ends_with_4(cloud: str, accounts: Outside) -> None:
    (name,) = configure(accounts, cloud, range(1, 2), external_id="another")

    done = accounts.run("list", "-c", name, "-o", "json")

    assert done.code == 4, str(done)
    assert assumed(accounts) == {role(cloud, 1): 1}
    assert {each["action"] for each in accounts.requests()} == {"AssumeRole"}


@pytest.mark.parametrize("cloud", NOWHERE)
def test_a_region_that_is_not_there_denies_nobody_a_role(cloud: str, accounts: Outside) -> None:
    (name,) = configure(accounts, cloud, range(1, 2))

    document = accounts.json("list", "-c", name, "-r", f"{cloud}:{NOWHERE[cloud]}", code=7)

    assert assumed(accounts) == {role(cloud, 1): 1}
    (error,) = document["errors"]
    assert error["scope"] == f"{name}@{cloud}:{NOWHERE[cloud]}"


@every_cloud
def test_sts_that_throttles_is_called_again(cloud: str, accounts: Outside) -> None:
    names = configure(accounts, cloud, range(3))
    accounts.faults(f"{cloud}:AssumeRole=throttle*2")

    document = accounts.json("list", "-c", ",".join(names), "--limit", "0")

    assert {run["context"] for run in document["runs"]} == set(names)
    assert sum(assumed(accounts).values()) == 5


@every_cloud
def test_roles_are_assumed_one_after_another(cloud: str, accounts: Outside) -> None:
    hub = role(cloud, 1)
    folder = accounts.home / ".config" / "runcancel"
    configure(accounts, cloud, range(0, 3, 2))
    text = (folder / "config.toml").read_text().replace("external_id", f'role_chain = ["{hub}"]\nexternal_id')
    (folder / "config.toml").write_text(text)

    document = accounts.json("list", "-c", f"{cloud}-0,{cloud}-2", "--limit", "0")

    assert {run["context"] for run in document["runs"]} == {f"{cloud}-0", f"{cloud}-2"}
    assert assumed(accounts) == {hub: 1, role(cloud, 0): 1, role(cloud, 2): 1}
    callers = {each["params"]["RoleArn"]: each["account"] for each in accounts.requests() if "Assume" in each["action"]}
    assert callers == {hub: 0, role(cloud, 0): 1, role(cloud, 2): 1}


def test_the_profile_that_assumes_the_role_may_be_one_of_a_role(accounts: Outside) -> None:
    (accounts.home / ".aws").mkdir()
    (accounts.home / ".aws" / "config").write_text(
        f"[profile hub]\nrole_arn = {role('aws', 1)}\nexternal_id = {EXTERNAL}\ncredential_source = Environment\n"
    )
    names = configure(accounts, "aws", range(2, 3), source_profile="hub")

    document = accounts.json("list", "-c", names[0], "--limit", "0")

    assert {run["context"] for run in document["runs"]} == set(names)
    assert assumed(accounts) == {role("aws", 1): 1, role("aws", 2): 1}


@every_cloud
def test_a_cancel_under_a_role_reaches_the_account_of_the_role(cloud: str, accounts: Outside) -> None:
    (name,) = configure(accounts, cloud, range(1, 2), account=str(FIRST[cloud] + 1))
    ref = accounts.json("list", "-c", name, "--limit", "0")["runs"][0]["ref"]

    done = accounts.run("cancel", ref, "--confirm", "1", "--no-wait")

    assert done.code == 0, str(done)
    assert {each["account"] for each in accounts.writes()} == {1}
    identities = 0 if cloud == "aws" else 1  # STS of AWS names the session when it gives the credentials
    assert accounts.actions().count("GetCallerIdentity") == identities


def test_contexts_with_a_role_are_added_and_shown(accounts: Outside) -> None:
    arn = role("aws", 1)

    added = accounts.json("contexts", "add", "web", "-p", "aws", "--role-arn", arn, "--external-id", EXTERNAL)
    shown = accounts.json("contexts", "show", "web")["settings"]

    assert [(row["name"], row["role_arn"], row["source_profile"]) for row in added["contexts"]] == [("web", arn, None)]
    values = {row["key"]: (row["value"], row["origin"]) for row in shown}
    assert values["role_arn"] == (arn, "context")
    assert values["external_id"] == (EXTERNAL, "context")
    assert values["account"] == (str(FIRST["aws"] + 1), "role_arn")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-p", "aws", "--role-arn", "arn:aws:iam::1:role/x"), "is not a role of AWS"),
        (("-p", "tencent", "--role-arn", role("aws", 1)), "is not a role of Tencent Cloud"),
        (("-p", "aws", "--external-id", "abc"), "--external-id needs --role-arn"),
        (("-p", "aws", "--source-profile", "hub"), "--source-profile needs --role-arn"),
        (("-p", "aws", "--role-arn", role("aws", 1), "--account", "999988887777"), "is a role of account"),
        (("-p", "aws", "--role-arn", role("aws", 1), "--profile", "x", "--no-check"), "--profile excludes --role-arn"),
        (("-p", "aws", "--role-arn", role("aws", 1), "--source-profile", "nobody"), "no profile “nobody”"),
        (("-p", "aws", "--role-arn", role("aws", 1), "--external-id", "a b"), "is not an external id"),
    ],
)
def test_a_role_that_cannot_be_is_refused(argv: tuple[str, ...], message: str, accounts: Outside) -> None:
    done = accounts.run("contexts", "add", "web", *argv)

    assert done.code == 2, str(done)
    assert message in done.err
    assert not (accounts.home / ".config").exists() or "web" not in done.out
