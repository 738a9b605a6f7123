"""The JSON Schema of every output; `python -m runcancel.render.schemas` writes the shipped files anew."""

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, defstruct

from runcancel.model.encoding import schema_of
from runcancel.render.documents import EndLine, ErrorDocument, all_documents, all_lines, line_form, shape

SCHEMAS = (*all_documents(), "error", "jsonl")
"""Every name that `schema` accepts."""

_KEYED_BY = {"counts": "State", "verdicts": "Verdict", "effects": "Effect"}
"""Objects whose keys are closed words; those of an operation may also be `unjudged`."""
_BY_ANY_WORD = ("Operation", "OperationLine")
_MAY_BE_ABSENT = frozenset({"parameters", "script", "audit"})


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one output. Raises KeyError for a name that is not in `SCHEMAS`."""
    (root,), parts = msgspec.json.schema_components(
        (_type(name),), ref_template="#/$defs/{name}", schema_hook=schema_of
    )
    for part in parts.values():
        _tighten(part)
    top = parts.pop(root["$ref"].rpartition("/")[2]) if "$ref" in root else root
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"runcancel {name}"}
    return head | {key: value for key, value in top.items() if key != "title"} | {"$defs": parts}


def schema_text(name: str) -> str:
    """The schema as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema(name), order="deterministic"), indent=2).decode() + "\n"


def schema_file(name: str) -> Path:
    """Where the schema is shipped."""
    return Path(__file__).parents[1] / "schemas" / f"{name}.json"


def _type(name: str) -> Any:
    if name == "jsonl":
        return reduce(or_, (*map(_line, all_lines()), EndLine))
    return ErrorDocument if name == "error" else shape(name)


def _line(record: type[Struct]) -> type[Struct]:
    form = line_form(record)
    tag = form.type
    return defstruct(
        f"{tag.title()}Line",
        (),
        bases=(record,),
        namespace={"__doc__": form.about},
        tag_field="type",
        tag=tag,
        frozen=True,
        kw_only=True,
    )


def _tighten(part: dict[str, Any]) -> None:
    """Add what the generator leaves out: every key is always there, times are RFC 3339, counts are by state."""
    properties = part.get("properties", {})
    if properties:
        part["required"] = [key for key in properties if key not in _MAY_BE_ABSENT]
    for key, value in properties.items():
        value.pop("default", None)
        for each in (value, *value.get("anyOf", ())):
            if (key == "at" or key.endswith("_at")) and each.get("type") == "string":
                each["format"] = "date-time"
            if key in _KEYED_BY and each.get("type") == "object" and str(part.get("title")) not in _BY_ANY_WORD:
                each["propertyNames"] = {"$ref": f"#/$defs/{_KEYED_BY[key]}"}


if __name__ == "__main__":
    for each in SCHEMAS:
        schema_file(each).write_text(schema_text(each), encoding="utf-8")
