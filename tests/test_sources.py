"""Rules that every module of the program keeps: its size, its imports, its names and its words."""

import ast
import re
from collections.abc import Iterable, Iterator

from sources import MODULES, imports, nodes, source

from runcancel.providers import PROVIDERS, provider

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


def test_no_module_imports_itself_by_way_of_others() -> None:
    """At the top, in a function or for the type checker alone: a circle is a circle."""
    graph = {module: imports(module) - {module} for module in MODULES}
    while ends := {module for module, below in graph.items() if not below & graph.keys()}:
        graph = {module: below for module, below in graph.items() if module not in ends}

    assert {module: below & graph.keys() for module, below in graph.items()} == {}


def _lengths(module: str) -> Iterator[tuple[str, int]]:
    """Every function with its lines. Of a verb only the body counts: its parameters are the options."""
    for node in nodes(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if _is_of_verbs(module) and ast.get_docstring(node) else node
            yield node.name, (node.end_lineno or 0) - first.lineno + 1


def _is_of_verbs(module: str) -> bool:
    return MODULES[module].parent.name == "verbs"


def test_no_function_is_longer_than_a_screen() -> None:
    functions = [(module, name, lines) for module in MODULES for name, lines in _lengths(module)]

    assert len(functions) > len(MODULES)
    assert [function for function in functions if function[2] > LONGEST_FUNCTION] == []


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


def _words(module: str) -> Iterator[str]:
    """Every name, text and docstring of a file, without the help of a verb and of its options."""
    helps: set[int] = set()
    for node in nodes(module):
        if isinstance(node, ast.keyword) and node.arg == "help":
            helps |= {id(inner) for inner in ast.walk(node.value)}
        if _is_of_verbs(module) and isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            helps |= {id(inner) for inner in ast.walk(node.body[0])}
    names = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.FunctionDef: "name", ast.ClassDef: "name"}
    for node in nodes(module):
        if id(node) not in helps:
            if isinstance(node, ast.Constant):
                yield str(node.value)
            elif type(node) in names:
                yield getattr(node, names[type(node)])


def test_vendor_words_stop_at_the_providers() -> None:
    pattern = vendor_words()
    named = {
        module: words
        for module in MODULES
        if module.split("/", maxsplit=1)[0] not in ("providers", "sandbox")
        and (words := {match.group() for word in {*_words(module)} for match in pattern.finditer(word)})
    }

    assert {module: words for module, words in named.items() if module not in MAY_NAME_CLOUDS} == {}
    assert named.keys() == MAY_NAME_CLOUDS.keys(), "an exception that nothing needs any more"


# names say what a thing is

PRIVATE = re.compile(
    "asked|told|held|begun|said|heard|meant|wish(?:ed)?|wanted|look(?:ed|_at)?|settled|answered|blamed|traced|worded|"
    "streamed|sight|desk|lane|case|patience|places?|nobody|somebody|anybody"
)
"""Words that hide what a thing is. A name says what it stands for: a status, a scope, a timeout, an index."""


def _names(module: str) -> Iterator[str]:
    """What a file defines: functions, classes, parameters, variables and attributes."""
    for node in nodes(module):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def _matching(pattern: re.Pattern[str], names: Iterable[str]) -> set[str]:
    """The names that the pattern describes, in small letters and without underscores around them."""
    return {name for name in {name.strip("_").lower() for name in names} if pattern.fullmatch(name)}


def test_no_name_is_of_a_private_dialect() -> None:
    wrong = {module: names for module in MODULES if (names := _matching(PRIVATE, _names(module)))}

    assert wrong == {}


PARTICIPLES = re.compile("found|known|chosen|named|given|left|seen|sent|kept|made")
PAST = {
    "cli/support/source.py": {"named"},
    "model/events.py": {"given"},
    "model/outcomes.py": {"found", "sent", "seen"},
    "model/triggers.py": {"known"},
}
"""Events are named by what happened, sources by how the runs were named; `given` is a key of the journal."""


def _interface(module: str) -> Iterator[str]:
    """The names that others read: functions, classes, parameters, fields and attributes."""
    for node in nodes(module):
        match node:
            case ast.FunctionDef(name=name) | ast.arg(arg=name) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.ClassDef(name=name, body=body):
                yield name
                for one in body:
                    if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                        yield one.target.id


def test_no_parameter_and_no_field_is_a_participle() -> None:
    """Whoever reads a signature has to learn what the thing is."""
    assert {module: names for module in MODULES if (names := _matching(PARTICIPLES, _interface(module)))} == PAST


HIDING = 10
"""How many local variables may hide what they hold behind a participle: a new one says `rows`, `match`, `by_id`."""


def _locals(function: ast.FunctionDef) -> set[str]:
    """The variables of a function and of the functions in it."""
    stored = (node for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {node.id for node in stored}


def test_local_variables_name_what_they_hold() -> None:
    hiding = [
        f"{module}: {node.name}: {name}"
        for module in MODULES
        for node in nodes(module)
        if isinstance(node, ast.FunctionDef)
        for name in sorted(_locals(node))
        if PARTICIPLES.fullmatch(name)
    ]

    assert len(hiding) <= HIDING, hiding


# what libraries keep to themselves

HOLDERS = {
    "providers/aws/private.py": {
        *("_ini_parser", "_config_parser", "_fetcher", "_role_fetcher", "_session"),
        *("_prompter", "_profile_provider_builder", "_sso_token_cache", "_login_token_cache"),
    },
}
"""Module -> the private names of libraries in it, no name in two modules."""

OWN = re.compile(r"_[a-z]")


def _private_names(module: str) -> set[str]:
    """Names of others that begin with an underscore: imported, or attributes of what is neither `self` nor `cls`."""
    defined = {node.name for node in nodes(module) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {node.attr for node in nodes(module) if isinstance(node, ast.Attribute) and _is_self(node.value)}
    found: set[str] = set()
    for node in nodes(module):
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("runcancel"):
            words = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
            found |= {word for word in words if OWN.match(word)}
        elif isinstance(node, ast.Attribute) and OWN.match(node.attr) and not _is_self(node.value):
            found |= {node.attr} - defined
    return found - {"_exit"}  # `os._exit` is documented


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def test_one_module_holds_each_private_api() -> None:
    """`test_private_apis.py` fails when a library changes one of them."""
    assert {module: names for module in MODULES if (names := _private_names(module))} == HOLDERS


# read as text


def test_no_file_is_about_many_things() -> None:
    lines = {module: len(source(module).splitlines()) for module in MODULES}

    assert {module: count for module, count in lines.items() if count > LONGER_FILES.get(module, LONGEST_FILE)} == {}


def test_no_type_is_claimed() -> None:
    """A cast or a suppression says what the checker cannot see: a better type lets it see."""
    claims = re.compile(r"\bcast\(|\bimport\b.*\bcast\b|# *type: *ignore|# *mypy:")

    assert {module for module in MODULES if claims.search(source(module))} == set()
