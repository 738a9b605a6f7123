"""`docs/layout.md` against the code: every file it names is there, every line of its picture is an import."""

import ast
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import runcancel
from runcancel.cli.verbs import VERBS
from runcancel.providers import PROVIDERS, provider

ROOT = Path(runcancel.__file__).parent
REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "layout.md").read_text(encoding="utf-8")
LONGEST_FUNCTION = 60  # lines
LONGEST_FILE = 345  # lines
LONGER_FILES = {
    "model/runs.py": 395,  # the records of a run, which refer to one another
    "runtime/workers.py": 375,  # one pool: its threads, its queue and its lock
    "runtime/throttle.py": 372,  # when a call may go: each part reads the same clock
    "engine/cancel.py": 365,  # one loop over events
    "cli/session.py": 365,  # what every verb is given
    "config/references.py": 350,  # one grammar, and what is wrong with a text that it does not read
    "sandbox/world.py": 365,  # the runs of a simulated cloud and the time in which they go on
    "sandbox/aws/commands.py": 360,  # Run Command: its states, its calls
}
"""File -> its own bound, and why it has no seam. None of them may grow."""

EDGES = re.findall(r"^    (\S+\.py) (-->|-\.->) (\S+\.py)$", PAGE, re.MULTILINE)


class Source(NamedTuple):
    """What the tests look at in a file; it is parsed once."""

    imports: frozenset[str]
    names: frozenset[str]
    interface: frozenset[str]
    lengths: Mapping[str, int]
    words: tuple[str, ...]


@cache
def source(path: Path) -> Source:
    """A file of the program."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [*ast.walk(tree)]
    return Source(_imports(nodes), _names(nodes), _interface(nodes), _lengths(path, nodes), _words(path, nodes))


def imports(file: str) -> frozenset[str]:
    """The files of the program that a file imports, at its top or when needed."""
    return source(ROOT / file).imports


def _imports(nodes: Sequence[ast.AST]) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if path_of(name)}
            found |= modules if modules == inner else modules | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(path for name in found if (path := path_of(name)))


def path_of(name: str) -> str | None:
    """The file of a module of the program, as the page writes it."""
    if name.split(".", maxsplit=1)[0] != "runcancel":
        return None
    inner = Path(*name.split(".")[1:])
    for candidate in (inner.with_suffix(".py") if inner.name else inner, inner / "__init__.py"):
        if (ROOT / candidate).is_file():
            return str(candidate)
    return None


@pytest.mark.parametrize(("here", "line", "there"), EDGES, ids="".join)
def test_every_line_of_the_picture_is_an_import(here: str, line: str, there: str) -> None:
    assert (there in imports(here)) is (line == "-->")
    if line != "-->":
        name = Path(there).parent.name if there.endswith("__init__.py") else Path(there).stem
        assert name in {**VERBS, **PROVIDERS}, "what is loaded by name stands in a table"


def test_the_picture_is_one_piece_and_begins_at_the_command() -> None:
    reached, waiting = {"cli/__init__.py"}, ["cli/__init__.py"]
    while waiting:
        here = waiting.pop()
        new = {there for start, _, there in EDGES if start == here} - reached
        reached |= new
        waiting += new

    assert len(EDGES) > 30
    assert {file for start, _, there in EDGES for file in (start, there)} == reached


def test_every_file_between_the_borders_is_named() -> None:
    listed = set(re.findall(r"^  (\w+\.py|\w+/) +\S", PAGE, re.MULTILINE))

    there = {path.name for path in ROOT.glob("*.py") if not path.name.startswith("__")}
    there |= {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py") if path.parent.name != "schemas"}
    assert listed == there


def test_every_path_that_the_page_mentions_exists() -> None:
    rooms = "cli|render|providers|sandbox|engine|config|model|runtime|journal|guards"
    for name in set(re.findall(rf"`((?:{rooms})/[\w/]+\.py|\w+\.py)`", PAGE)):
        assert (ROOT / name).is_file() or list(ROOT.rglob(name)), name
    for name in set(re.findall(r"`((?:tests|docs|benchmarks|completions)/[\w/.]+)`", PAGE)):
        assert (REPOSITORY / name).exists(), name


@pytest.mark.parametrize("room", ["model", "runtime", "config", "engine", "journal", "guards"])
def test_every_file_of_a_room_is_named(room: str) -> None:
    inside = re.search(rf"^  {room}/ .*\n((?:    .*\n)*)", PAGE, re.MULTILINE)

    assert inside is not None
    listed = set(re.findall(r"^    (\w+\.py) +\S", inside.group(1), re.MULTILINE))
    assert listed == {path.name for path in (ROOT / room).glob("*.py") if path.name != "__init__.py"}


def test_the_root_holds_only_what_has_no_better_room() -> None:
    assert len([path for path in ROOT.glob("*.py") if not path.name.startswith("__")]) <= 6


def test_no_module_imports_itself_by_way_of_others() -> None:
    """At the top, in a function or for the type checker alone: a circle is a circle."""
    modules = [str(path.relative_to(ROOT)) for path in sorted(ROOT.rglob("*.py"))]
    graph = {module: imports(module) - {module} for module in modules}
    while ends := {module for module, below in graph.items() if not below & graph.keys()}:
        graph = {module: below for module, below in graph.items() if module not in ends}

    assert {module: below & graph.keys() for module, below in graph.items()} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """Of a verb only the body counts: its parameters are the options, its docstring is the help."""
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in sorted(ROOT.rglob("*.py"))
        for name, lines in source(path).lengths.items()
        if lines > LONGEST_FUNCTION
    }

    assert long == {}


def _lengths(path: Path, nodes: Sequence[ast.AST]) -> Mapping[str, int]:
    """The longest function of each name."""
    longest: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if path.parent.name == "verbs" and ast.get_docstring(node) else node
            lines = (node.end_lineno or 0) - first.lineno + 1
            longest[node.name] = max(lines, longest.get(node.name, 0))
    return longest


def test_no_file_is_about_many_things() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")
    }

    assert {file: count for file, count in lines.items() if count > LONGER_FILES.get(file, LONGEST_FILE)} == {}


# vendor words stop at the providers

PRODUCTS = (
    *("Systems Manager", "Cloud Assistant", "CloudTrail", "EventBridge", "maintenance window", "window_target"),
    *("amazon", "aliyun", "tencentcloud", "boto", "mw-", "inv-", "invt-", "ivk-", "ins-"),
    *(r"\b(?:SSM|TAT|ECS|STS|IAM|RAM|CAM|ARNs?)\b", r"\bt-[0-9a-f…]"),
)
"""Words of the clouds that no record of a provider holds."""

MAY_NAME_CLOUDS = {
    "cli/support/demo.py": "references of runs in the sandbox",
    "cli/support/request.py": "an example of a request in a message",
    "cli/verbs/__init__.py": "one line of help for each verb",
    "cli/topics.py": "the topics of the help, with an example from each cloud",
    "cli/verbs/sandbox.py": "references of runs in the sandbox",
    "model/runs.py": "window_target is a key of the documents",
    "render/columns.py": "window_target is a key of the documents",
}
"""File -> why it holds such words. Beside these only the help of verbs and of their options may."""


def vendor_words() -> re.Pattern[str]:
    """What the clouds' records hold that means nothing outside them: their titles, actions, variables, addresses."""
    found: set[str] = set()
    for one in map(provider, PROVIDERS):
        found |= {one.title, *one.sites, *one.variables, *one.link_prefixes}
        found |= {*one.endpoint_variables, *one.region_variables, *one.profile_variables}
        found |= {word for kind in one.kinds for word in (kind.action, kind.permission)}
        found |= {kind.name for kind in one.kinds if "-" in kind.name}
        for kind in one.trigger_kinds:
            found |= {kind.action, kind.enable_action, kind.permission, kind.enable_permission} - {""}
    return re.compile("|".join((*(rf"\b{re.escape(word)}" for word in sorted(found)), *PRODUCTS)))


def _words(path: Path, nodes: Sequence[ast.AST]) -> tuple[str, ...]:
    """Every name, text and docstring of a file, without the help of a verb and of its options."""
    helps: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.keyword) and node.arg == "help":
            helps |= {id(inner) for inner in ast.walk(node.value)}
        if path.parent.name == "verbs" and isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            helps |= {id(inner) for inner in ast.walk(node.body[0])}
    names = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.FunctionDef: "name", ast.ClassDef: "name"}
    return tuple(
        str(node.value if isinstance(node, ast.Constant) else getattr(node, names[type(node)]))
        for node in nodes
        if id(node) not in helps and (type(node) in names or (isinstance(node, ast.Constant) and str(node.value)))
    )


def test_vendor_words_stop_at_the_providers() -> None:
    pattern = vendor_words()
    named: dict[str, set[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        file = str(path.relative_to(ROOT))
        if file.split("/", maxsplit=1)[0] not in ("providers", "sandbox"):
            found = {match.group() for word in source(path).words for match in pattern.finditer(word)}
            named |= {file: found} if found else {}

    assert {file: words for file, words in named.items() if file not in MAY_NAME_CLOUDS} == {}
    assert named.keys() == MAY_NAME_CLOUDS.keys(), "an exception that nothing needs any more"


PRIVATE = re.compile(
    "asked|told|held|begun|said|heard|meant|wish(?:ed)?|wanted|look(?:ed|_at)?|settled|answered|blamed|traced|worded|"
    "streamed|sight|desk|lane|case|patience|places?|nobody|somebody|anybody"
)
"""Words that hide what a thing is. A name says what it stands for: a status, a scope, a timeout, an index."""


def _names(nodes: Sequence[ast.AST]) -> frozenset[str]:
    """What a file defines: functions, classes, parameters, variables and attributes, without leading underscores."""
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return frozenset(name.strip("_").lower() for name in found)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_is_of_a_private_dialect(path: Path) -> None:
    assert [name for name in source(path).names if PRIVATE.fullmatch(name)] == []


PARTICIPLES = re.compile("found|known|chosen|named|given|left|seen|sent|kept|made")
PAST = {
    "cli/support/source.py": {"named"},
    "model/events.py": {"given"},
    "model/outcomes.py": {"found", "sent", "seen"},
    "model/triggers.py": {"known"},
}
"""Events are named by what happened, sources by how the runs were named; `given` is a key of the journal."""


def _interface(nodes: Sequence[ast.AST]) -> frozenset[str]:
    """The names that others read: functions, classes, parameters, fields and attributes."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.arg(arg=name) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.ClassDef(name=name, body=body):
                names |= {
                    name,
                    *(
                        one.target.id
                        for one in body
                        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                    ),
                }
    return frozenset(name.strip("_").lower() for name in names)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_parameter_and_no_field_is_a_participle(path: Path) -> None:
    """Whoever reads a signature has to learn what the thing is."""
    file = str(path.relative_to(ROOT))

    assert {name for name in source(path).interface if PARTICIPLES.fullmatch(name)} == PAST.get(file, set())


HIDING = 10
"""How many local variables may hide what they hold behind a participle: a new one says `rows`, `match`, `by_id`."""


def test_local_variables_name_what_they_hold() -> None:
    found: list[str] = []
    for path in sorted(ROOT.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                stored = {
                    node.id
                    for node in ast.walk(function)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                }
                found += [
                    f"{path.relative_to(ROOT)}: {function.name}: {name}"
                    for name in sorted(stored)
                    if PARTICIPLES.fullmatch(name)
                ]

    assert len(found) <= HIDING, found


def test_no_type_is_claimed() -> None:
    """A cast or a suppression says what the checker cannot see: a better type lets it see."""
    claims = re.compile(r"\bcast\(|\bimport\b.*\bcast\b|# *type: *ignore|# *mypy:")

    claimed = {path.name for path in sorted(ROOT.rglob("*.py")) if claims.search(path.read_text(encoding="utf-8"))}

    assert claimed == set()
