"""`runcancel contexts`, and what a context changes for the other verbs."""

import pytest
from outside import COMMAND, TENCENT, Outside


def rows(outside: Outside, *argv: str) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in outside.json("contexts", *argv)["contexts"]}


def test_a_context_is_added_listed_used_and_removed(outside: Outside) -> None:
    rows(outside, "add", "prod", "-p", "aws", "-r", "us-east-2,eu-west-1", "--protected")
    rows(outside, "add", "games", "-p", "tencent")

    found = rows(outside, "use", "prod")

    assert found["prod"]["regions"] == ["us-east-2", "eu-west-1"]
    assert [name for name, row in found.items() if row["default"]] == ["prod"]
    assert {run["region"] for run in outside.json("list", "--limit", "0")["runs"]} == {"us-east-2", "eu-west-1"}
    assert list(rows(outside, "remove", "prod")) == ["games"]


def test_references_carry_their_context_into_the_next_verb(outside: Outside) -> None:
    rows(outside, "add", "games", "-p", "tencent")

    listed = outside.run("list", "-c", "games", "--name", "patch-openssl", "-o", "ref").out

    assert f"games@{TENCENT}" in listed.splitlines()
    assert outside.run("cancel", "-f", "-", "--yes", stdin=listed).code == 0
    assert outside.states(TENCENT) == {"cancelled": 3, "terminated": 9}


def test_show_tells_where_each_value_is_from(outside: Outside) -> None:
    rows(outside, "add", "prod", "-p", "aws", "-r", "eu-west-1")

    settings = outside.json("contexts", "show", "prod")["settings"]
    over = outside.json("contexts", "show", "prod", "-r", "us-east-1")["settings"]
    bare = outside.json("contexts", "show")["settings"]

    assert {row["key"]: row["origin"] for row in settings} | {"endpoint_url": ""} == {
        "profile": "default",
        "regions": "context",
        "endpoint_url": "",
        "proxy": "default",
        "protected": "default",
    }
    assert [(row["value"], row["origin"]) for row in over if row["key"] == "regions"] == [("us-east-1", "--region")]
    assert ("AWS_DEFAULT_REGION", "us-east-2") in {(row["origin"], row["value"]) for row in bare}


def test_show_names_the_endpoint_that_is_used(outside: Outside) -> None:
    url = outside.environ["AWS_ENDPOINT_URL"]
    env = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "RUNCANCEL_AWS_ENDPOINT_URL": url}

    settings = outside.json("contexts", "show", "-p", "aws", env=env)["settings"]
    scopes = outside.json("doctor", "-p", "aws", env=env)["scopes"]

    assert [(row["value"], row["origin"]) for row in settings if row["key"] == "endpoint_url"] == [
        (url, "RUNCANCEL_AWS_ENDPOINT_URL")
    ]
    assert [(row["endpoint"], row["endpoint_origin"]) for row in scopes] == [(url, "RUNCANCEL_AWS_ENDPOINT_URL")]


def test_a_site_is_told_and_taken_where_there_are_sites(outside: Outside) -> None:
    bare = outside.json("contexts", "show")["settings"]
    refused = outside.run("contexts", "add", "eu", "-p", "aws", "--site", "intl.tencentcloudapi.com")

    assert {row["provider"] for row in bare if row["key"] == "site"} == {"tencent"}
    assert refused.code == 2
    assert "AWS has no sites; nothing was changed" in refused.err


def test_show_takes_what_the_command_line_narrows(outside: Outside) -> None:
    rows(outside, "add", "prod", "-p", "aws", "-r", "aws:eu-west-1,us-east-2")
    rows(outside, "add", "games", "-p", "tencent")

    def shown(*argv: str) -> set[tuple[str | None, str]]:
        return {(row["context"], row["provider"]) for row in outside.json("contexts", "show", *argv)["settings"]}

    assert rows(outside)["prod"]["regions"] == ["eu-west-1", "us-east-2"]
    assert shown("-p", "aws") == {("prod", "aws"), (None, "aws")}
    assert shown("-c", "games") == {("games", "tencent")}
    assert shown("-p", "aws", "--profile", "mine") == {("prod", "aws"), ("mine", "aws")}


def test_an_empty_group_never_means_the_bare_environment(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[groups]\nnone = []\n")

    for verb in (("list",), ("cancel", "--name", "patch-openssl", "--yes"), ("status", COMMAND)):
        assert outside.run(*verb, "-c", "none").code == 2
    assert outside.requests() == []


def test_removing_the_last_default_says_what_is_used_now(outside: Outside) -> None:
    rows(outside, "add", "prod", "-p", "aws")
    rows(outside, "use", "prod")

    done = outside.run("contexts", "remove", "prod")

    assert "also from default" in done.err
    assert "No default context; using environment credentials" in done.err


def test_wrong_use_is_refused(outside: Outside) -> None:
    for wrong in (("shw",), ("add", "x"), ("add", "-p", "aws"), ("remove", "x"), ("use", "x"), ("list", "--protected")):
        assert outside.run("contexts", *wrong).code == 2
    for more in (
        ("add", "x", "-p", "aws", "--endpoint-url", "http://example.com"),
        ("add", "x", "-p", "aws", "-r", "alibaba:cn-hangzhou"),
        ("add", "x", "-p", "tencent", "--site", "example.com"),
        ("add", "a,b", "-p", "aws"),
        ("list", "x"),
    ):
        assert outside.run("contexts", *more).code == 2
    assert rows(outside) == {}
    assert outside.run("status", "-c", "nobody", COMMAND).code == 2
    assert outside.run("list", "-c", "nobody").code == 2
    assert outside.requests() == []


def test_a_broken_file_is_refused_with_its_place(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[contexts.a]\nprovider = "aws"\nregion = "x"\n')

    done = outside.run("status", TENCENT, "-o", "json")

    assert done.code == 2
    assert "contexts.a.region" in done.document["errors"][0]["message"]
    assert "did you mean regions" in done.document["errors"][0]["message"]


def groups(outside: Outside, *argv: str) -> dict[str, list[str]]:
    return {row["name"]: row["contexts"] for row in outside.json("contexts", "groups", *argv)["groups"]}


def test_a_context_is_renamed_wherever_it_stands(outside: Outside) -> None:
    for name in ("prod", "games"):
        rows(outside, "add", name, "-p", "tencent")
    groups(outside, "add", "all", "prod", "games")
    rows(outside, "use", "prod")

    done = outside.run("contexts", "rename", "prod", "my live")

    assert done.code == 0, str(done)
    assert "also in group all, default" in done.err
    assert "prod@" in done.err
    found = rows(outside)
    assert list(found) == ["my live", "games"]
    assert found["my live"]["default"] is True
    assert groups(outside) == {"all": ["my live", "games"]}
    assert outside.run("list", "-c", "prod").code == 2
    assert outside.run("list", "-c", "my live", "--name", "patch-openssl").code == 0


def test_a_group_is_renamed_and_the_default_follows(outside: Outside) -> None:
    rows(outside, "add", "games", "-p", "tencent")
    groups(outside, "add", "all", "games")
    rows(outside, "use", "all")

    outside.run("contexts", "rename", "all", "every")

    assert groups(outside) == {"every": ["games"]}
    assert rows(outside)["games"]["default"] is True
    assert rows(outside)["games"]["groups"] == ["every"]


def test_groups_are_made_extended_reduced_and_removed(outside: Outside) -> None:
    for name in ("a", "b", "c"):
        rows(outside, "add", name, "-p", "tencent")

    assert groups(outside) == {}
    assert groups(outside, "add", "all", "a", "b") == {"all": ["a", "b"]}
    assert groups(outside, "add", "all", "c", "a") == {"all": ["a", "b", "c"]}
    assert {run["context"] for run in outside.json("list", "-c", "all", "--limit", "0")["runs"]} == {"a", "b", "c"}
    assert groups(outside, "remove", "all", "b") == {"all": ["a", "c"]}
    assert groups(outside, "add", "other", "b") == {"all": ["a", "c"], "other": ["b"]}
    assert groups(outside, "remove", "all") == {"other": ["b"]}
    assert groups(outside, "remove", "other", "b") == {}
    assert list(rows(outside)) == ["a", "b", "c"]
    assert outside.run("contexts", "groups", "-o", "ref").out == ""


def test_several_contexts_are_repeated_or_listed_with_commas(outside: Outside) -> None:
    for name in ("a", "b", "c"):
        rows(outside, "add", name, "-p", "tencent")

    for argv in (("-c", "a,b"), ("-c", "a", "-c", "b"), ("--context=b,a,b",)):
        assert {run["context"] for run in outside.json("list", *argv, "--limit", "0")["runs"]} == {"a", "b"}
    done = outside.run("list", "-c", "a,bb")
    assert done.code == 2
    assert "no context or group “bb”" in done.err
    assert "did you mean b?" in done.err


def test_a_profile_that_is_not_there_is_not_added(outside: Outside) -> None:
    folder = outside.home / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile prod]\nregion = us-east-2\n")
    for cloud in ("aws", "alibaba", "tencent"):
        done = outside.run("contexts", "add", "x", "-p", cloud, "--profile", "prdo")
        assert done.code == 2, str(done)
        assert "there is no profile “prdo”" in done.err
        assert "nothing was changed" in done.err
        assert "--no-check" in done.err
    assert "did you mean" in outside.run("contexts", "add", "x", "-p", "aws", "--profile", "prdo").err
    assert rows(outside) == {}

    assert list(rows(outside, "add", "x", "-p", "aws", "--profile", "prdo", "--no-check")) == ["x"]
    assert list(rows(outside, "add", "y", "-p", "aws", "--profile", "prod")) == ["x", "y"]
    assert outside.run("contexts", "list", "--no-check").code == 2


def test_wrong_renames_and_groups_change_nothing(outside: Outside) -> None:
    for name in ("a", "b"):
        rows(outside, "add", name, "-p", "tencent")
    groups(outside, "add", "g", "a")
    before = (outside.home / ".config" / "runcancel" / "config.toml").read_bytes()

    for wrong, said in (
        (("rename", "a"), "two names"),
        (("rename", "A", "x"), "no context or group “A”"),
        (("rename", "a", "b"), "already exists"),
        (("rename", "a", "g"), "already exists"),
        (("rename", "a", "a"), "already exists"),
        (("rename", "a", "x,y"), "cannot be the name"),
        (("groups", "ad"), "did you mean add?"),
        (("groups", "add", "g"), "takes a group and contexts"),
        (("groups", "add", "g", "c"), "no context “c”"),
        (("groups", "add", "a", "b"), "is the name of a context"),
        (("groups", "add", "h", "g"), "no context “g”"),
        (("groups", "remove", "h"), "no group “h”"),
        (("groups", "remove", "g", "b"), "is not in the group g"),
        (("groups", "remove"), "takes a group"),
        (("groups", "list", "g"), "takes no name"),
    ):
        done = outside.run("contexts", *wrong)
        assert done.code == 2, str(done)
        assert said in done.err, str(done)
    assert (outside.home / ".config" / "runcancel" / "config.toml").read_bytes() == before


@pytest.mark.parametrize("name", ["a,b", " a", "a "])
@pytest.mark.parametrize("words", [("add", "#", "-p", "tencent"), ("rename", "a", "#"), ("groups", "add", "#", "a")])
def test_a_name_that_cannot_be_selected_is_refused(outside: Outside, words: tuple[str, ...], name: str) -> None:
    assert outside.run("contexts", "add", "a", "-p", "tencent").code == 0
    done = outside.run("contexts", *(name if word == "#" else word for word in words))

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert f"“{name}” cannot be the name of a context" in done.err


def test_such_a_name_in_the_file_is_loaded_with_a_warning(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    contexts = "".join(f'["contexts"."{name}"]\nprovider = "tencent"\n' for name in ("a,b", "-c", "good"))
    (folder / "config.toml").write_text(f'{contexts}[groups]\n" g" = ["good"]\n')

    done = outside.run("contexts", "-o", "ref")

    assert (done.code, done.out.splitlines()) == (0, ["a,b", "-c", "good"])
    warned = [line.partition("”")[0] for line in done.err.splitlines()]
    assert warned == ["runcancel: “a,b", "runcancel: “-c", "runcancel: “ g"]
    assert "Rename it in that file" in done.err
