"""`report` and `history` over the shards of one plan: in one journal, in several, and from what commands printed."""

import copy
import json
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fuzz.budget import tries
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from outside import Done, Outside

from cli.test_report import cells
from cli.test_shards import COUNT, write
from cli.test_team_journal import machines
from runcancel.journal.incident import incident
from runcancel.journal.outputs import Outputs
from runcancel.model.encoding import encode

__all__ = ["machines"]

REGIONS = "tencent:ap-guangzhou,tencent:ap-shanghai,tencent:ap-singapore,alibaba:cn-hangzhou"
JOURNAL = Path(".local/state/runcancel/journal.sqlite3")


@pytest.fixture
def plan(outside: Outside) -> dict[str, Any]:
    """A plan of one run in each of four scopes, of which two shards of four have some."""
    for word in REGIONS.split(","):
        provider, region = word.split(":")
        outside.add(provider, region=region, name="bad-patch", targets={"pending": 2})
    document: dict[str, Any] = outside.json("cancel", "--name", "bad-patch", "-r", REGIONS, "-n")
    assert len(document["plan"]) == 4
    write(outside, document)
    return document


def cancel(outside: Outside, *shards: str, more: Sequence[str] = ()) -> list[Done]:
    flags = ("--confirm", "4", "--no-wait", "-o", "jsonl")
    done = [outside.run("cancel", "--plan", "plan.json", "--shard", one, *flags, *more) for one in shards]
    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    return done


def all_of(count: int) -> list[str]:
    return [f"{index}/{count}" for index in range(count)]


def report(outside: Outside, *words: str, code: int = 0) -> Any:
    return outside.json("report", *words, code=code)


def runs(document: Any) -> list[str]:
    (one,) = document["reports"]
    return sorted(run["run"] for account in one["accounts"] for run in account["runs"])


def test_one_report_over_all_shards_of_the_plan(outside: Outside, plan: Any) -> None:
    outside.run("cancel", "inv-ib2lld37", "--no-wait")
    cancel(outside, *all_of(COUNT))

    document = report(outside)

    assert runs(document) == sorted(item["run"] for item in plan["plan"])
    (one,) = document["reports"]
    assert [(each["shard"]["index"], each["shard"]["count"]) for each in one["operations"]] == [
        (index, COUNT) for index in range(COUNT)
    ]
    (about,) = one["plans"]
    assert (about["count"], about["missing"], about["unfinished"], about["complete"]) == (COUNT, [], [], True)
    assert about["plan"] == one["operations"][0]["plan"]
    assert (one["finished"], document["complete"]) == (True, True)
    assert report(outside, one["operations"][2]["id"])["reports"] == document["reports"], "any of them stands for all"


def test_a_missing_shard_is_named_and_the_report_exits_7(outside: Outside, plan: Any) -> None:
    cancel(outside, "0/4", "2/4")

    document = report(outside, code=7)

    (one,) = document["reports"]
    assert (one["plans"][0]["missing"], one["finished"], document["complete"]) == ([1, 3], False, False)
    (error,) = document["errors"]
    assert error["message"].endswith("shards 1, 3 of 4 are missing")
    commands = [step["command"] for step in one["next_steps"] if step["command"]]
    assert [line.partition(" --confirm")[0] for line in commands[:2]] == [
        "runcancel cancel --plan plan.json --shard 1/4",
        "runcancel cancel --plan plan.json --shard 3/4",
    ]
    markdown = outside.run("report", "-o", "md")
    assert markdown.code == 7
    assert "shards 1/4, 3/4 of plan" in markdown.out
    assert ["Shard", "2 of 4, from 0"] in cells(markdown.out)
    cancel(outside, "1/4", "3/4")
    assert report(outside)["complete"]


def test_a_shard_that_ran_twice_counts_once(outside: Outside, plan: Any) -> None:
    once, again = ("cancel", "--plan", "plan.json", "--shard"), ("--confirm", "4", "--timeout", "5", "-q")
    for word in (*all_of(2), *all_of(2)):
        assert outside.run(*once, word, *again).code in (0, 8)

    document = report(outside)

    (one,) = document["reports"]
    assert len(one["operations"]) == 4
    assert runs(document) == sorted(item["run"] for item in plan["plan"])
    assert sum(one["verdicts"].values()) == 4
    assert sum(one["effects"].values()) == 8
    shown = outside.json("history", "last")
    assert (len(shown["operations"]), len(shown["outcomes"])) == (4, 4)


def test_a_shard_that_was_killed_and_run_again_is_complete(outside: Outside, plan: Any) -> None:
    cancel(outside, *all_of(2))
    _reopen(outside, index=0)

    assert report(outside, code=7)["reports"][0]["plans"][0]["unfinished"] == [0]
    cancel(outside, "0/2")

    document = report(outside)
    (one,) = document["reports"]
    assert (one["plans"][0]["unfinished"], one["finished"]) == ([], True)
    assert not any("unfinished" in step["text"] for step in one["next_steps"])
    assert "incomplete" not in outside.run("report").out


def test_a_killed_shard_is_resumed_and_the_report_is_whole(outside: Outside, plan: Any) -> None:
    outside.faults("tencent:CancelInvocation=hang", "alibaba:StopInvocation=hang")
    command = ("cancel", "--plan", "plan.json", "--shard", "0/1", "--confirm", "4", "-q", "-o", "tsv")

    outside.interrupted(signal.SIGKILL, *command, until="CancelInvocation")
    outside.faults()

    document = report(outside, code=7)
    assert document["reports"][0]["plans"][0]["unfinished"] == [0]
    (step,) = [one["command"] for one in document["reports"][0]["next_steps"] if "--resume" in str(one["command"])]
    resumed = outside.run(*step.split()[1:], "-o", "jsonl", "--accept-reported")
    assert resumed.code == 0, str(resumed)
    assert report(outside)["complete"]
    assert resumed.lines[0]["type"] == "operation"
    assert resumed.lines[0]["shard"] == {"index": 0, "count": 1}, "its output is of the shard, too"


def _reopen(outside: Outside, *, index: int) -> None:
    """What a kill leaves of the operation of one shard."""
    import sqlite3

    operations = outside.json("history")["operations"]
    (id,) = (one["id"] for one in operations if one["shard"]["index"] == index)
    with sqlite3.connect(outside.home / JOURNAL) as db:
        db.execute("UPDATE operations SET state='open', exit_code=NULL WHERE id=?", (id,))


def test_shards_of_another_division_are_no_part_of_this_one(outside: Outside, plan: Any) -> None:
    cancel(outside, "0/2", "1/3")

    document = report(outside, code=7)

    assert [(one["count"], one["missing"]) for one in document["reports"][0]["plans"]] == [(2, [1]), (3, [0, 2])]
    done = outside.run("report", "-o", "md")
    assert "was divided in several ways: shards of 2 and of 3" in done.err
    cancel(outside, "1/2")
    assert report(outside)["complete"], "one division is complete"
    assert "incomplete" not in outside.run("report", "-o", "md").out


def test_the_whole_plan_stands_for_its_shards(outside: Outside, plan: Any) -> None:
    assert outside.run("cancel", "--plan", "plan.json", "--confirm", "4", "--no-wait").code == 0
    cancel(outside, "0/4")

    document = report(outside)

    assert [(one["count"], one["complete"]) for one in document["reports"][0]["plans"]] == [(None, True), (4, False)]
    assert document["complete"]


def test_history_shows_the_plan_and_what_is_missing(outside: Outside, plan: Any) -> None:
    cancel(outside, "0/4", "3/4")

    listed, one = outside.run("history", "-o", "tsv"), outside.run("history", "last", "-o", "tsv")

    assert [row["shard"] for row in listed.rows] == ["3/4", "0/4"]
    for done in (listed, one):
        assert done.code == 0
        assert "shards 1-2 of 4 are missing" in done.err
    assert len({row["plan"] for row in listed.rows}) == 1
    cancel(outside, "1/4", "2/4")
    shown = outside.json("history", "last")
    assert [each["shard"]["index"] for each in shown["operations"]] == [0, 3, 1, 2]
    assert sorted(each["run"] for each in shown["outcomes"]) == sorted(item["run"] for item in plan["plan"])


def test_the_journals_of_several_machines_become_one_report(outside: Outside, plan: Any) -> None:
    copies = []
    for word in all_of(3):
        cancel(outside, word)
        copies.append(f"machine-{len(copies)}/journal.sqlite3")
        (outside.home / copies[-1]).parent.mkdir(mode=0o700)
        shutil.move(outside.home / JOURNAL, outside.home / copies[-1])
        shutil.rmtree((outside.home / JOURNAL).parent)

    document = report(outside, *copies)

    assert runs(document) == sorted(item["run"] for item in plan["plan"])
    assert document["complete"]
    assert report(outside, *copies[:2], code=7)["reports"][0]["plans"][0]["missing"] == [2]
    last = document["reports"][0]["operations"][-1]["id"]
    assert report(outside, last[:20], *copies)["reports"] == document["reports"]
    assert not (outside.home / JOURNAL).exists(), "nothing is written here"


def test_what_the_shards_printed_becomes_one_report(outside: Outside, plan: Any) -> None:
    """Also without any journal, one file for all of them, and what else a job runner wrote into it."""
    done = cancel(outside, *all_of(3), more=("--no-journal",))
    for index, one in enumerate(done):
        (outside.home / f"shard-{index}.jsonl").write_text(f"Shard {index} begins\n{one.out}")
    (outside.home / "all.jsonl").write_text("".join(one.out for one in done))
    assert outside.json("history")["operations"] == []

    apart = report(outside, *(f"shard-{index}.jsonl" for index in range(3)))
    together = report(outside, "./all.jsonl")

    assert runs(apart) == runs(together) == sorted(item["run"] for item in plan["plan"])
    assert apart["reports"] == together["reports"]
    (one,) = apart["reports"]
    assert one["verdicts"] == {"requested": 4}
    assert all(run["request_ids"] and run["accepted_at"] for account in one["accounts"] for run in account["runs"])
    assert [each["exit_code"] for each in one["operations"]] == [0, 0, 0]
    assert report(outside, "shard-0.jsonl", "shard-2.jsonl", code=7)["errors"][0]["message"].endswith(
        "shard 1 of 3 is missing"
    )


def test_an_output_that_was_cut_off_is_an_unfinished_operation(outside: Outside, plan: Any) -> None:
    done = cancel(outside, *all_of(2))
    (outside.home / "0.jsonl").write_text(done[0].out)
    (outside.home / "1.jsonl").write_text("".join(done[1].out.splitlines(keepends=True)[:-1]) + '{"type":"outc')

    document = report(outside, "0.jsonl", "1.jsonl", code=7)

    (one,) = document["reports"]
    assert (one["plans"][0]["unfinished"], one["finished"]) == ([1], False)
    (error,) = document["errors"]
    assert error["message"].startswith("1.jsonl, line ")


def test_an_empty_shard_has_nothing_to_restore(outside: Outside, plan: Any) -> None:
    assert "is empty" in cancel(outside, "999/1000")[0].err

    assert outside.run("report").out.rstrip().endswith("## Restore\n\nNothing was cancelled or disabled.")


def test_files_without_an_operation_lead_to_no_journal(outside: Outside) -> None:
    (outside.home / "notes.jsonl").write_text("nothing\n")

    done = outside.run("report", "./notes.jsonl")

    assert done.code == 5, str(done)
    assert done.err.splitlines()[-1] == "runcancel: no operation is in these files"


def test_the_end_of_another_process_ends_no_operation(outside: Outside, plan: Any) -> None:
    """The logs of all pods in one file: one was killed, and one was refused after it."""
    done = cancel(outside, *all_of(2), more=("--no-journal",))
    refused = outside.run("cancel", "--plan", "plan.json", "--shard", "1/2", "-o", "jsonl", "--no-journal")
    assert refused.code == 6
    whole, killed = done[0].out, "".join(done[1].out.splitlines(keepends=True)[:-1])
    (outside.home / "pods.jsonl").write_text(whole + killed + refused.out)

    (one,) = report(outside, "./pods.jsonl", code=7)["reports"]

    assert [each["exit_code"] for each in one["operations"]] == [0, None]
    assert one["plans"][0]["unfinished"] == [1]


@tries(40, HealthCheck.function_scoped_fixture)
@given(data=st.data())
def test_an_output_that_somebody_changed_breaks_no_report(outside: Outside, data: st.DataObject) -> None:
    """Whatever stands in its lines: what can be read is reported, and the rest is named."""
    if not _PRINTED:
        outside.add("tencent", name="bad-patch", targets={"pending": 2})
        write(outside, outside.json("cancel", "--name", "bad-patch", "-p", "tencent", "-r", "ap-guangzhou", "-n"))
        done = outside.run("cancel", "--plan", "plan.json", "--shard", "0/1", "--yes", "--no-wait", "-o", "jsonl")
        _PRINTED.extend(done.lines)
    lines = copy.deepcopy(_PRINTED)
    line = data.draw(st.sampled_from(lines))
    key = data.draw(st.sampled_from(sorted(line)))
    line[key] = data.draw(_VALUES)

    outputs = Outputs()
    outputs.read(map(json.dumps, lines), "shard.jsonl")

    if outputs.operations:
        assert encode(incident(outputs.operations))
    else:
        assert outputs.problems


_PRINTED: list[Any] = []
_VALUES = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=20),
    st.sampled_from(["aws:us-east-2:foo/x", "foo:bar:baz/x", "inv-ib2lld37", "operation", "outcome", "end", "9" * 400]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.booleans(), max_size=2),
)


def test_a_file_without_an_operation_is_named(outside: Outside, plan: Any) -> None:
    """A shard that was refused printed no operation."""
    (outside.home / "0.jsonl").write_text(cancel(outside, "0/2")[0].out)
    refused = outside.run("cancel", "--plan", "plan.json", "--shard", "1/2", "-o", "jsonl")
    (outside.home / "1.jsonl").write_text(refused.out)

    document = report(outside, "0.jsonl", "1.jsonl", code=7)

    assert [error["message"].partition(" has no operation")[0] for error in document["errors"]][:1] == ["1.jsonl"]
    assert document["reports"][0]["plans"][0]["missing"] == [1]
    assert report(outside, "1.jsonl", code=5)["reports"] == []
    assert outside.run("report", "./nothing.jsonl").code == 2


def test_a_document_of_history_is_an_operation_too(outside: Outside, plan: Any) -> None:
    for index, _ in enumerate(cancel(outside, *all_of(2))):
        id = outside.json("history")["operations"][1 - index]["id"]
        document = outside.json("history", id)
        document["operations"] = [one for one in document["operations"] if one["id"] == id]
        (outside.home / f"{index}.json").write_text(json.dumps(document, indent=2))
    shutil.rmtree((outside.home / JOURNAL).parent)

    document = report(outside, "0.json", "1.json")

    assert runs(document) == sorted(item["run"] for item in plan["plan"])
    assert document["complete"]


@pytest.mark.parametrize("journal", [(), ("--no-journal",)])
def test_the_documents_of_the_shards_become_one_report(outside: Outside, plan: Any, journal: tuple[str, ...]) -> None:
    for word in all_of(2):
        flags = ("--confirm", "4", "--no-wait", "-o", "json", *journal)
        done = outside.run("cancel", "--plan", "plan.json", "--shard", word, *flags)
        (outside.home / f"{word[0]}.json").write_text(done.out)
        (operation,) = done.document["operations"]
        assert (operation["shard"], operation["exit_code"]) == ({"index": int(word[0]), "count": 2}, 0)
        assert sum(operation["counts"].values()) == len(done.document["outcomes"])

    document = report(outside, "0.json", "1.json")

    assert runs(document) == sorted(item["run"] for item in plan["plan"])
    assert document["complete"]
    assert report(outside, "0.json", code=7)["reports"][0]["plans"][0]["missing"] == [1]


def test_a_document_of_something_else_is_named(outside: Outside, plan: Any) -> None:
    document = report(outside, "plan.json", "./plan.json", code=5)

    assert document["errors"][0]["message"].startswith("plan.json is a document that names no operation")


def test_machines_with_one_journal_need_no_file(outside: Outside, plan: Any, machines: list[Mapping[str, str]]) -> None:
    command = ("cancel", "--plan", "plan.json", "--confirm", "4", "--no-wait", "-o", "json", "--shard")
    one, two = machines

    assert outside.run(*command, "0/2", env=one).code == 0
    partly = outside.run("report", "-o", "json", env=two)
    assert outside.run(*command, "1/2", env=two).code == 0
    whole = [outside.run("report", "-o", "json", env=each) for each in machines]

    assert partly.code == 7
    assert partly.document["errors"][0]["message"].endswith("shard 1 of 2 is missing")
    assert [each.code for each in whole] == [0, 0]
    assert all(runs(each.document) == sorted(item["run"] for item in plan["plan"]) for each in whole)
    shown = outside.run("history", "last", "-o", "json", env=one)
    assert sorted(each["run"] for each in shown.document["outcomes"]) == sorted(item["run"] for item in plan["plan"])
