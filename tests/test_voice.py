"""The program and its pages use the words of the glossary: no retired phrase, and few long sentences in the pages.

A message is any string literal of the package that is not a docstring. The sandbox repeats the texts of the clouds and
is not checked.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sources import MODULES, nodes

from runcancel.model.states import Effect, Guarantee, State, Verdict

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "cli" / "golden" / "help"
PAGES = sorted(
    [*ROOT.glob("docs/*.md"), *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG"))]
)
LONG, FEW = 32, 0.03
"""A sentence of more words is long; a page has at most this share of them, or one."""
SOURCES = [module for module in MODULES if not module.startswith("sandbox/")]

RETIRED = (
    r"[Ww]ill ask",
    r"\b[Gg]o on\?",
    r"to go on:",
    r"To look first",
    r"To look again",
    r"stops asking",
    r"would be asked",
    r"asked to stop",
    r"nobody can be asked",
    r"not proven",
    r"foretold",
    r"\bunjudged\b",
    r"\bbegun\b",
    r"\btold\b",
    r"nothing was sent: this is a plan",
    r"To do no more than this",
    r"is no reference",
    r"has not the shape",
    r"no number and no range",
    r"filters reach the others",
    r"half a key",
    r"the bare environment",
    r"what is true now",
    r"[Tt]ake a list",
    r"where it should be",
    r"[Ww]hat targets wrote",
    r"do not see a run",
    r"written down",
    r"takes nothing back",
    r"not seen to end",
    r"\b(?:is|are|was|were) over\b",
    r"\bof [^ ]+ over\b",
    r"would never be",
    r"cannot be had",
    r"who asks",
    r"does not show",
    r"(?<!there )\b(?:is|was) no (?:id|key|number|plan|JSON|TOML|UTF-8|file|time|duration|state|kind|terminal)\b",
    r"\b(?:[Pp]lease|[Ss]orry|[Oo]ops)\b",
)
"""What neither messages nor help contain."""
RETIRED_EVERYWHERE = (
    r"\b(?:is|are|was|were|be) asked for\b",
    r"\basked first\b",
    r"\bwho asks\b",
    r"\bTells? (?:all|it)\.",
    r"\bdoes not tell\b",
    r"\bthe list says\b",
    r"\bstates? that is wanted\b",
    r"\bwanted state\b",
    r"\bWhat is said\b",
    r"[Ww]ho asks",
    r"\btold\b",
    r"\bbegun\b",
    r"\bheard\b",
    r"written down",
    r"\b(?:is|are|was|were) over\b",
    r"foretold",
    r"what is true now",
    r"has not the shape",
    r"not seen to end",
    r"is no reference",
    r"takes nothing back",
    r"where it should be",
)
"""What docstrings do not contain either."""
ALLOWED = {
    ("journal/sql.py", "unjudged"),
    ("journal/copies.py", "unjudged"),
    ("cli/options.py", "unjudged"),
    ("cli/verbs/history.py", "unjudged"),
    ("render/columns.py", "unjudged"),
}
"""A key of JSON that cannot change: the runs of an operation that have no verdict. Screens call them otherwise."""


def docstrings(module: str) -> Iterator[ast.Constant]:
    """Every string that stands alone: docstrings of modules, classes, functions and values."""
    for node in nodes(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def messages(module: str) -> Iterator[tuple[int, str]]:
    """Line and text of every other string; the parts of an f-string as one text."""
    apart = {id(one) for one in docstrings(module)}
    for node in nodes(module):
        if isinstance(node, ast.JoinedStr):
            apart.update(id(part) for part in node.values)
            texts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield node.lineno, "".join(map(str, texts))
    for node in nodes(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.lineno, node.value


def flowed(text: str) -> str:
    """A text in one line, so that no phrase hides behind a line break."""
    return " ".join(text.split())


def retired(phrases: Sequence[str], text: str) -> Iterator[str]:
    """What of a text is retired: the first of each phrase."""
    flat = flowed(text)
    if re.search("|".join(phrases), flat):
        yield from (match[0] for phrase in phrases if (match := re.search(phrase, flat)))


def test_no_message_has_a_retired_phrase() -> None:
    wrong = [
        f"{module}:{line}: {phrase!r} in {text!r}"
        for module in SOURCES
        for line, text in messages(module)
        for phrase in retired(RETIRED, text)
        if (module, phrase) not in ALLOWED
    ]
    wrong += [
        f"{module}:{one.lineno}: {phrase!r} in a docstring"
        for module in SOURCES
        for one in docstrings(module)
        for phrase in retired(RETIRED_EVERYWHERE, str(one.value))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_help_has_a_retired_phrase() -> None:
    pages = {page.stem: [*retired(RETIRED, page.read_text(encoding="utf-8"))] for page in GOLDEN.glob("*.txt")}

    assert pages
    assert {page: phrases for page, phrases in pages.items() if phrases} == {}


@pytest.mark.parametrize("words", [State, Guarantee, Effect, Verdict], ids=lambda words: words.__name__)
def test_the_glossary_has_every_word_of_the_program(words: type[State]) -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    section = text.partition(f"## {words.__name__}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- `([^`]+)`: ", section, re.MULTILINE) == [str(word) for word in words]


def prose(page: Path) -> str:
    """The text of a page without code, addresses and generated tables; of the changelog the newest section."""
    text = page.read_text(encoding="utf-8")
    text = text.split("\n## ")[1] if page.name == "CHANGELOG.md" else text
    text = re.sub(r"<!-- ([\w-]+): begin.*?\1: end -->|^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`[^`]*`", "X", text)


def sentences(text: str) -> Iterator[str]:
    """The sentences of paragraphs, list items and cells of tables."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) |\|)", text):
        for part in block.split("|") if block.lstrip().startswith("|") else [block]:
            yield from re.split(r"(?<=[.?]) (?=[A-Z“*])", flowed(part))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_retired_phrase(page: Path) -> None:
    assert [*retired((*RETIRED, "!"), prose(page))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_few_long_sentences(page: Path) -> None:
    every = [one for one in sentences(prose(page)) if len(one.split()) > 2]
    long = [one for one in every if len(one.split()) > LONG]
    assert len(long) <= max(1, FEW * len(every)), "\n".join(long)


OTHER_LANGUAGES = ("config/toml.py", "render/incident/", "render/documents.py", "cli/manual.py")
"""Files whose texts with straight quotes are TOML, HTML, JSON or roff."""

STRAIGHT = re.compile(r"""(?<![=\w])"[\w ]*\0[^"]*"|'\0'""")


def test_a_message_quotes_with_one_kind_of_quotes() -> None:
    """A value in a text stands between “ and ”: no straight quotes, and no `repr`."""
    found: list[str] = []
    for module in (each for each in SOURCES if not each.startswith(OTHER_LANGUAGES)):
        for node in nodes(module):
            if not isinstance(node, ast.JoinedStr):
                continue
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
            by_repr = any(isinstance(part, ast.FormattedValue) and part.conversion == ord("r") for part in node.values)
            if (by_repr and not text.startswith("\0(")) or STRAIGHT.search(text):
                found.append(f"{module}:{node.lineno}: {text}")

    assert found == []
