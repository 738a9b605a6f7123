"""`contexts import`: accounts of an organization and of c7n-org become contexts, and nothing else is touched."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto_http import moto_over_http
from outside import Done, Outside

FIRST = 111122223333
ORGANIZATION = ("contexts", "import", "--aws-organization")
HAND_MADE = """\
# the accounts of the platform team
default = ["prod"]

[contexts.prod]        # never touch this one
provider = "aws"
profile = "prod"
protected = true

[contexts."Account-3"]  # by hand as well, and of no known account
provider = "aws"

[groups]
ours = ["prod"]
"""


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Outside]:
    with Outside(tmp_path / "home", accounts=45) as outside:
        yield outside


def config(outside: Outside) -> Path:
    return outside.home / ".config" / "runcancel" / "config.toml"


def written(outside: Outside, text: str) -> None:
    config(outside).parent.mkdir(parents=True, exist_ok=True)
    config(outside).write_text(text)


def contexts(outside: Outside) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = tomllib.loads(config(outside).read_text())["contexts"]
    return found


def changes(done: Done) -> dict[str, str]:
    assert done.code == 0, str(done)
    return {row["name"]: row["change"] for row in done.document["changes"]}


def imported(outside: Outside, *argv: str, stdin: str = "") -> dict[str, str]:
    return changes(outside.run(*argv, "--yes", "-o", "json", stdin=stdin))


# an organization


def test_every_active_account_becomes_a_context_with_a_role(many: Outside) -> None:
    found = imported(
        many, *ORGANIZATION, "--role", "path/ops", "--external-id", "x/1", "--regions", "us-east-2,eu-west-1"
    )

    assert len(found) == 45
    assert set(found.values()) == {"added"}
    made = contexts(many)
    assert made["Account-2"] == {
        "provider": "aws",
        "regions": ["us-east-2", "eu-west-1"],
        "account": str(FIRST + 1),
        "role_arn": f"arn:aws:iam::{FIRST + 1}:role/path/ops",
        "external_id": "x/1",
        "tags": ["env:prod", "team:search"],
        "imported_from": "aws-organization o-sandbox0001",
    }
    assert "role_arn" not in made["management"]  # the credentials that read the organization are of this account
    assert {one["account"] for one in made.values()} == {str(FIRST + number) for number in range(45)}


def test_what_was_imported_is_searched_without_the_organization(many: Outside) -> None:
    imported(many, *ORGANIZATION, "--role", "ops")
    many.box.log.clear()

    runs = many.json("list", "-c", "env:dev", "-r", "us-east-2", "--kind", "command", "--limit", "0")["runs"]
    every = many.json("contexts", "groups")["groups"]

    assert {run["context"] for run in runs} == {f"Account-{number}" for number in range(4, 46, 3)}
    assert {each["action"] for each in many.requests()} == {"AssumeRole", "ListCommands"}
    sizes = {group["name"]: len(group["contexts"]) for group in every}
    assert sizes == {
        "aws-organization": 45,
        "env:prod": 30,
        "env:dev": 14,
        "team:payments": 14,
        "team:search": 15,
        "team:web": 15,
    }


def test_a_second_import_changes_nothing(many: Outside) -> None:
    imported(many, *ORGANIZATION, "--role", "ops", "--regions", "us-east-2")
    before = config(many).read_bytes()

    assert imported(many, *ORGANIZATION) == {}
    assert imported(many, *ORGANIZATION, "--ou", "ou-sbox-prod0000") == {}
    assert many.run(*ORGANIZATION).code == 0  # nothing to confirm
    assert config(many).read_bytes() == before


def test_units_are_read_with_the_units_in_them(many: Outside) -> None:
    imported(many, *ORGANIZATION, "--ou", "ou-sbox-prod0000", "--ou", "ou-sbox-empty000")

    assert {row["account"] for row in contexts(many).values()} == {
        str(FIRST + number) for number in range(1, 45) if number % 3 != 0
    }
    assert all(one["role_arn"].endswith(":role/OrganizationAccountAccessRole") for one in contexts(many).values())


def test_hand_made_contexts_and_comments_stay(many: Outside) -> None:
    written(many, HAND_MADE)

    found = imported(many, *ORGANIZATION, "--role", "ops")

    text = config(many).read_text()
    assert text.startswith(HAND_MADE)
    assert f"Account-3-{FIRST + 2}" in found
    assert contexts(many)["Account-3"] == {"provider": "aws"}


def test_an_account_in_a_hand_made_context_is_left_to_it(many: Outside) -> None:
    written(many, HAND_MADE.replace("protected", f'account = "{FIRST + 1}"\nprotected'))

    done = many.run(*ORGANIZATION, "--yes", "-o", "json")

    (skipped,) = [row for row in done.document["changes"] if row["change"] == "skipped"]
    assert skipped["details"] == [f"account {FIRST + 1} is in the context prod"]
    assert "Account-2" not in contexts(many)


def test_what_changed_is_shown_and_what_a_person_added_stays(many: Outside) -> None:
    imported(many, *ORGANIZATION, "--role", "ops", "--regions", "us-east-2")
    text = config(many).read_text().replace("[contexts.Account-2]\n", "[contexts.Account-2] # loud\nprotected = true\n")
    written(many, text.replace("[contexts.Account-4]", "[contexts.four]"))

    done = many.run(*ORGANIZATION, "--role", "ops2", "--ou", "ou-sbox-dev00000", "--yes", "-o", "json")

    assert len(changes(done)) == 14
    (four,) = [row for row in done.document["changes"] if row["name"] == "four"]
    assert four["details"] == [f"role_arn: arn:aws:iam::{FIRST + 3}:role/ops → arn:aws:iam::{FIRST + 3}:role/ops2"]
    assert "[contexts.Account-2] # loud\nprotected = true\n" in config(many).read_text()
    assert contexts(many)["four"]["regions"] == ["us-east-2"]


def test_an_account_that_is_gone_is_reported_and_kept(many: Outside, tmp_path: Path) -> None:
    imported(many, *ORGANIZATION)
    with Outside(tmp_path / "smaller", accounts=43) as smaller:
        written(smaller, config(many).read_text())

        found = imported(smaller, *ORGANIZATION)

        assert found == {"Account-44": "missing", "Account-45": "missing"}
        assert len(contexts(smaller)) == 45


def test_nothing_is_written_without_a_confirmation(many: Outside) -> None:
    written(many, HAND_MADE)

    dry = many.run(*ORGANIZATION, "--dry-run", "-o", "json")
    refused = many.run(*ORGANIZATION)
    declined = many.on_terminal(*ORGANIZATION, answer="n\n", columns=120, lines=100)

    assert len(changes(dry)) == 45
    assert refused.code == 6
    assert "45 added: not confirmed (stdin is not a terminal); nothing was changed" in refused.err
    assert "--yes" in refused.err
    assert declined.code == 6
    assert "Write these changes to" in declined.final
    assert config(many).read_text() == HAND_MADE


def test_a_person_confirms(many: Outside) -> None:
    shown = many.on_terminal(*ORGANIZATION, answer="y\n", columns=120, lines=100)

    assert shown.code == 0, shown.final
    assert len(contexts(many)) == 45


def test_credentials_that_may_not_read_the_organization_end_with_4(many: Outside) -> None:
    environ = many.box.environment(account=1)

    done = many.run(*ORGANIZATION, "--yes", env=environ)

    assert done.code == 4, str(done)
    assert "organizations:ListAccounts" in done.err
    assert not config(many).exists()


def test_without_a_region_one_is_used_that_every_account_has(many: Outside) -> None:
    imported(many, *ORGANIZATION, "--ou", "ou-sbox-empty000", "--ou", "ou-sbox-dev00000")
    many.box.log.clear()

    done = many.run(*ORGANIZATION, "--dry-run", "-o", "json", env={"AWS_DEFAULT_REGION": None})

    assert len(changes(done)) == 31
    assert {each["region"] for each in many.requests()} == {"us-east-1"}


def test_tags_that_cannot_be_read_leave_those_of_the_file(many: Outside) -> None:
    imported(many, *ORGANIZATION)
    before = config(many).read_text()
    many.faults("aws:ListTagsForResource=denied")

    done = many.run(*ORGANIZATION, "--yes", "-o", "json")

    assert changes(done) == {}
    assert "the tags of 45 accounts were not read" in done.err
    assert config(many).read_text() == before


@pytest.mark.parametrize("fault", ["duplicate-page*1", "throttle*3", "http-503*1", "drop-after*1"])
def test_a_listing_that_stumbles_is_whole_all_the_same(fault: str, many: Outside) -> None:
    many.faults(f"aws:ListAccounts={fault}", f"aws:ListTagsForResource={fault}")

    assert len(imported(many, *ORGANIZATION)) == 45
    assert sum(len(one.get("tags", ())) for one in contexts(many).values()) == 88


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "needs --aws-organization or --c7n-org FILE"),
        (("--aws-organization", "--c7n-org", "x"), "needs --aws-organization or --c7n-org FILE"),
        (("--c7n-org", "x", "--role", "ops"), "--ou and --role need --aws-organization"),
        (("--aws-organization", "--ou", "ou-sbox-empty000"), "no active account was found"),
        (("--aws-organization", "--ou", "prod"), "“prod” is not the id of a unit"),
        (("--aws-organization", "--role", "a b"), "“a b” is not the name of a role"),
        (("--aws-organization", "--regions", "us-east-2,,"), "--regions has an empty name"),
        (("--aws-organization", "--regions", "evil.com/"), "“evil.com/” is not a region"),
        (("--aws-organization", "--protected"), "--protected needs add"),
        (("--aws-organization", "prod"), "contexts import takes no name"),
        (("--c7n-org", "nowhere.yml"), "nowhere.yml cannot be read: No such file or directory"),
    ],
)
def test_wrong_usage_is_one_clear_line(argv: tuple[str, ...], message: str, outside: Outside) -> None:
    done = outside.run("contexts", "import", *argv, "--yes")

    assert done.code == 2, str(done)
    assert message in done.err
    assert not config(outside).exists()


# c7n-org

ACCOUNTS = """\
vars: {charge_code: xyz}
accounts:
- account_id: '111122223333'
  name: web prod
  email: web@example.com
  regions: [us-east-2, "eu-west-1,us-east-1"]
  role: arn:aws:iam::111122223333:role/Custodian
  external_id: "4711"
  tags: &prod
  - type:prod
  - division:some division
  vars: {charge_code: [1, 2]}
- account_id: 012345670123
  name: octal
  role:
  - arn:aws:iam::111122223333:role/hub
  - arn:aws:iam::012345670123:role/Custodian
  tags: *prod
- account_id: '111122223335'
  profile: sandbox
"""


def test_an_accounts_file_of_c7n_org_becomes_contexts(outside: Outside) -> None:
    (outside.home / "accounts.yml").write_text(ACCOUNTS)

    found = imported(outside, "contexts", "import", "--c7n-org", "accounts.yml", "--source-profile", "hub")

    assert found == {"web-prod": "added", "octal": "added", "111122223335": "added"}
    assert contexts(outside) == {
        "web-prod": {
            "provider": "aws",
            "regions": ["us-east-2", "eu-west-1", "us-east-1"],
            "account": "111122223333",
            "role_arn": "arn:aws:iam::111122223333:role/Custodian",
            "external_id": "4711",
            "source_profile": "hub",
            "tags": ["type:prod", "division:some division"],
            "imported_from": "c7n-org accounts.yml",
        },
        "octal": {
            "provider": "aws",
            "account": "012345670123",
            "role_arn": "arn:aws:iam::012345670123:role/Custodian",
            "role_chain": ["arn:aws:iam::111122223333:role/hub"],
            "source_profile": "hub",
            "tags": ["type:prod", "division:some division"],
            "imported_from": "c7n-org accounts.yml",
        },
        "111122223335": {
            "provider": "aws",
            "profile": "sandbox",
            "account": "111122223335",
            "imported_from": "c7n-org accounts.yml",
        },
    }
    assert imported(outside, "contexts", "import", "--c7n-org", "accounts.yml") == {}
    assert outside.requests() == []


def test_what_the_file_does_not_have_any_more_goes(outside: Outside) -> None:
    file = outside.home / "accounts.yml"
    file.write_text(ACCOUNTS)
    imported(outside, "contexts", "import", "--c7n-org", str(file))
    file.write_text(ACCOUNTS.replace('  external_id: "4711"\n', "").partition("- account_id: '111122223335'")[0])

    found = imported(outside, "contexts", "import", "--c7n-org", str(file))

    assert found == {"web-prod": "changed", "111122223335": "missing"}
    assert "external_id" not in contexts(outside)["web-prod"]
    assert "111122223335" in contexts(outside)


def test_the_file_may_be_json_on_standard_input(outside: Outside) -> None:
    account = {"account_id": "111122223333", "name": "web", "role": "arn:aws:iam::111122223333:role/x"}

    found = imported(outside, "contexts", "import", "--c7n-org", "-", stdin=json.dumps({"accounts": [account]}))

    assert found == {"web": "added"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accounts: [", "accounts.yml is not valid YAML, line 1"),
        ("", "accounts.yml is empty; nothing was changed"),
        ("- 1", "accounts.yml: Expected `object`, got `array`"),
        ("subscriptions: []", "accounts.yml has subscriptions; only accounts of AWS can be imported"),
        ("accounts: [{name: x}]", "accounts.yml: Object missing required field `account_id` - at `accounts[0]`"),
        ("accounts: [{account_id: '1', profile: x}]", "accounts[0].account_id is “1”, which is not 12 digits"),
        ("accounts: [{account_id: '111122223333'}]", "accounts[0] has neither role nor profile"),
        ("accounts: [{account_id: '111122223333', role: admin}]", "role_arn is “admin”, which is not a role of AWS"),
        (
            "accounts: [{account_id: '111122223333', role: 'arn:aws:iam::999988887777:role/x'}]",
            "role_arn is a role of account 999988887777, and account is “111122223333”",
        ),
        ("accounts: [{account_id: '111122223333', profile: x, regions: [a.b]}]", "regions[0] “a.b” is not a region"),
        ("!!python/object/apply:os.system ['true']", "accounts.yml: Expected `object`, got `array`"),
        ("[" * 5000, "accounts.yml is nested too deeply"),
        ("a: \x07", "accounts.yml is not valid YAML"),
    ],
)
def test_a_wrong_accounts_file_is_one_clear_line(text: str, message: str, outside: Outside) -> None:
    (outside.home / "accounts.yml").write_text(text)

    done = outside.run("contexts", "import", "--c7n-org", "accounts.yml", "--yes")

    assert done.code == 2, str(done)
    assert message in done.err
    assert len(done.err.strip().splitlines()) <= 2
    assert not config(outside).exists()


HOSTILE = (
    "../../etc",
    "a b\tc",
    "\x1b[31mred",
    "-rf",
    "x@aws:y",
    "\u202e",
    "名前",
    'say "hi"',
    "",
    "a,b",
    "." * 3,
    "x" * 400,
)


def test_hostile_names_and_tags_become_harmless_ones(outside: Outside) -> None:
    rows = [
        {
            "account_id": f"11112222{number:04}",
            "name": name,
            "role": f"arn:aws:iam::11112222{number:04}:role/x",
            "tags": [f"{name}:{name}", "a,b:c", ""],
        }
        for number, name in enumerate(HOSTILE)
    ]
    file = outside.home / "accounts.json"
    file.write_text(json.dumps({"accounts": rows}))

    imported(outside, "contexts", "import", "--c7n-org", str(file))

    made = contexts(outside)
    assert len(made) == len(HOSTILE)
    assert {"etc", "a-b-c", "rf", "x-aws-y", "say-hi", "a-b"} <= made.keys()
    assert all(name.isprintable() and len(name) < 120 and not set(name) & set('@:, -/"') - {"-"} for name in made)
    assert all("," not in tag and tag.isprintable() for one in made.values() for tag in one.get("tags", ()))
    assert imported(outside, "contexts", "import", "--c7n-org", str(file)) == {}


# moto's Organizations, which we did not write


def test_moto_agrees_about_the_organization(outside: Outside) -> None:
    with moto_over_http("us-east-1") as environ:
        outside.environ |= environ
        client = boto3.client("organizations", region_name="us-east-1")
        organization = client.create_organization(FeatureSet="ALL")["Organization"]
        root = client.list_roots()["Roots"][0]["Id"]
        upper = client.create_organizational_unit(ParentId=root, Name="prod")["OrganizationalUnit"]["Id"]
        lower = client.create_organizational_unit(ParentId=upper, Name="payments")["OrganizationalUnit"]["Id"]
        ids = [
            client.create_account(AccountName=f"team {number}", Email=f"{number}@example.com")["CreateAccountStatus"][
                "AccountId"
            ]
            for number in range(25)
        ]
        for id in ids[:2]:
            client.move_account(AccountId=id, SourceParentId=root, DestinationParentId=upper)
        client.move_account(AccountId=ids[2], SourceParentId=root, DestinationParentId=lower)
        client.tag_resource(ResourceId=ids[2], Tags=[{"Key": "env", "Value": "prod"}, {"Key": "team", "Value": "a b"}])
        client.close_account(AccountId=ids[24])

        below = imported(outside, *ORGANIZATION, "--ou", upper)
        every = imported(outside, *ORGANIZATION)

    assert below == {f"team-{number}": "added" for number in range(3)}
    assert len(every) == 22  # 21 others that are active, and the management account
    made = {one["account"]: one for one in contexts(outside).values()}
    assert ids[24] not in made
    assert made[ids[2]]["tags"] == ["env:prod", "team:a b"]
    assert made[ids[0]]["imported_from"] == f"aws-organization {organization['Id']} {upper}"
    assert "role_arn" not in made[organization["MasterAccountId"]]
