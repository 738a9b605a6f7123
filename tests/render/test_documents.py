"""The JSON contract: schemas that are shipped, fresh and closed over every key."""

import json

import jsonschema_rs
import pytest
from msgspec import UNSET, structs
from outside import validator

from runcancel.model.encoding import encode
from runcancel.model.runs import Identity
from runcancel.model.states import Effect, State, Verdict
from runcancel.render.columns import all_columns
from runcancel.render.documents import Caller, all_documents, all_lines, line
from runcancel.render.schemas import SCHEMAS, schema_file, schema_text

from . import samples


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_shipped_schema_is_fresh(name: str) -> None:
    text = schema_text(name)

    assert schema_file(name).read_text(encoding="utf-8") == text, "python -m runcancel.render.schemas"
    jsonschema_rs.meta.validate(json.loads(text))


def test_no_schema_is_shipped_that_nothing_writes() -> None:
    shipped = {path.stem for path in schema_file("status").parent.glob("*.json")}

    assert shipped == set(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_key_is_required(name: str) -> None:
    whole = json.loads(schema_file(name).read_text(encoding="utf-8"))
    for part in (whole, *whole["$defs"].values()):
        assert set(part.get("properties", {})) - set(part.get("required", ())) <= {"parameters", "script", "audit"}


def test_every_record_is_in_every_table() -> None:
    records = {one.record for one in all_documents().values()}

    assert records <= set(all_lines())
    assert all(sum(column.is_key for column in columns) <= 1 for columns in map(all_columns, records))


def test_what_does_not_show_as_itself_is_escaped() -> None:
    text = encode(samples.run(name="\x85\u202e\u200b\ufeff\x7f\U000e0041é補"))

    assert '"name":"\\u0085\\u202e\\u200b\\ufeff\\u007f\\udb40\\udc41é補"' in text
    assert json.loads(text)["name"] == "\x85\u202e\u200b\ufeff\x7f\U000e0041é補"


def test_a_lone_surrogate_becomes_text_that_every_parser_takes() -> None:
    assert json.loads(encode(samples.run(name="caf\udce9")))["name"] == "caf\\udce9"


def test_parameters_are_a_key_only_when_asked_for() -> None:
    bare = samples.invocation(1, State.RUNNING)
    asked = structs.replace(bare, parameters="{}")

    assert bare.parameters is UNSET
    assert "parameters" not in json.loads(line(bare))
    assert json.loads(line(asked))["parameters"] == "{}"
    validator("jsonl").validate(json.loads(line(bare)))
    validator("jsonl").validate(json.loads(line(asked)))


def test_a_wrong_word_does_not_pass_the_schema() -> None:
    broken = json.loads(line(samples.outcome(Verdict.STOPPED, samples.seen(1, Effect.CANCELLED))))
    broken["invocations"][0]["effect"] = "gone"

    with pytest.raises(jsonschema_rs.ValidationError):
        validator("jsonl").validate(broken)


def test_a_caller_nobody_could_name_is_null() -> None:
    assert Caller.of("aws:us-east-2", None) == Caller(scope="aws:us-east-2", account=None, principal=None)
    known = Caller.of("aws:us-east-2", Identity(account="1", principal="arn"))
    assert (known.account, known.principal) == ("1", "arn")
