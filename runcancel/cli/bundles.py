"""Options that are declared once as a record: a verb takes the record, its command line takes the fields."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar, get_type_hints

from msgspec import NODEFAULT, Struct, structs

B = TypeVar("B", bound="Bundle")


class Offers(Struct, frozen=True):
    """What completion offers for an option: words, or the name of a function in `cli/support/offers.py`.

    It stands in the `Annotated` of the option, and only `make generate` reads it.
    """

    source: Callable[[], Iterable[str]] | str


class Bundle(Struct, frozen=True, kw_only=True):
    """Options that belong together.

    A field is an option as a verb's function declares it (its type is `Annotated` with what Typer reads), or a bundle.
    Its name is the option's: no two options of one verb share it.
    """


@cache
def _fields(bundle: type[Bundle]) -> Mapping[str, Any]:
    """The annotation of each field as it is declared."""
    return get_type_hints(bundle, include_extras=True)


@cache
def _defaults(bundle: type[Bundle]) -> Mapping[str, Any]:
    """The default of each field, or `NODEFAULT`."""
    return {field.name: field.default for field in structs.fields(bundle)}


def flattened(parameters: Iterable[inspect.Parameter]) -> list[inspect.Parameter]:
    """The parameters with the options of a bundle in the place of each bundle, in the order of its fields."""
    flat: list[inspect.Parameter] = []
    for parameter in parameters:
        bundle = parameter.annotation
        flat += options_of(bundle) if _is_bundle(bundle) else [parameter]
    return flat


def options_of(bundle: type[Bundle]) -> list[inspect.Parameter]:
    """The options of a bundle, those of the bundles in it included."""
    defaults = _defaults(bundle)
    return flattened(
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotation,
            default=inspect.Parameter.empty if defaults[name] is NODEFAULT else defaults[name],
        )
        for name, annotation in _fields(bundle).items()
    )


def arguments(parameters: Iterable[inspect.Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for a function with these parameters, out of the value of each option."""
    return {
        one.name: filled(one.annotation, values) if _is_bundle(one.annotation) else values[one.name]
        for one in parameters
        if _is_bundle(one.annotation) or one.name in values
    }


def filled(bundle: type[B], values: Mapping[str, Any]) -> B:
    """A bundle out of the value of each option; one without a value has its default."""
    hints = _fields(bundle)
    return bundle(
        **{
            name: filled(hint, values) if _is_bundle(hint) else values[name]
            for name, hint in hints.items()
            if _is_bundle(hint) or name in values
        }
    )


def spelled(bundle: Bundle, names: Iterable[str] = ()) -> tuple[str, ...]:
    """The options of a bundle as words of a command line, in the shortest spelling; those named, else all."""
    defaults = _defaults(type(bundle))
    words: list[str] = []
    for name, annotation in _fields(type(bundle)).items():
        value = getattr(bundle, name)
        if value == defaults[name] or (names and name not in names):
            continue
        if isinstance(value, Bundle):
            words += spelled(value)
            continue
        flag = _flag(annotation)
        if isinstance(value, bool):
            words.append(flag.split("/")[0 if value else -1])
        else:
            values = value if isinstance(value, list | tuple) else (value,)
            words += (word for one in values for word in (flag, str(one)))
    return tuple(words)


def _flag(annotation: Any) -> str:
    """The shortest spelling of an option; Typer has the first one of an `Annotated` as its default."""
    option = annotation.__metadata__[0]
    return min((one for one in (option.default, *option.param_decls) if isinstance(one, str)), key=len)


def _is_bundle(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Bundle)
