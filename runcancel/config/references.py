"""Text to reference: full form, bare ids, and everything between; the other way is `str(ref)`."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Self
from urllib.parse import unquote

from msgspec import Struct, structs

from runcancel.errors import UsageError
from runcancel.model.runs import Kind, Ref, RunName, Scope
from runcancel.providers import PROVIDERS, provider, trigger_kind_of
from runcancel.redaction import bare_urls
from runcancel.text import quoted

_FORM = "[context@][provider:][region:][kind/]id"
REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
NOT_A_REGION = "is not a region such as us-east-2, cn-hangzhou or ap-guangzhou"
_UNSAFE = re.compile(r"[^\x21-\x7e]")
_URL = "[A-Za-z][A-Za-z0-9+.-]*://"


class Reference(Struct, frozen=True, kw_only=True):
    """A reference as it was typed. A missing part is None and is looked up later."""

    text: str
    id: str
    context: str | None = None
    provider: str | None = None
    region: str | None = None
    kind: str | None = None
    account: str | None = None  # as a link names it: the caller has to belong to it
    trigger: bool = False  # it names what starts runs, not a run

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that can have a run of this id (and kind)."""
        return tuple(name for name in PROVIDERS if self.provider in (None, name) and self.kinds(name))

    def kinds(self, name: str) -> tuple[Kind, ...]:
        """The kinds of one provider that this reference can mean, in the order of the lookup."""
        all_kinds = _kinds(name, triggers=self.trigger)
        return tuple(kind for kind in all_kinds if self.kind in (None, kind.name) and kind.matches(self.id))

    @property
    def meaning(self) -> "Reference":
        """The same whatever way it is written."""
        return structs.replace(self, text="")

    @classmethod
    def of(cls, ref: Ref) -> Self:
        """The run itself, as if it was typed in full."""
        scope = ref.scope
        return cls(
            text=ref.text,
            id=ref.id,
            context=scope.context,
            provider=scope.provider,
            region=scope.region,
            kind=ref.kind,
            trigger=trigger_kind_of(ref) is not None,
        )

    @property
    def name(self) -> RunName:
        """What a record calls it as long as no run is found."""
        return RunName(self.text)

    def at(self, scope: Scope, kind: Kind) -> Ref:
        """The full reference, once scope and kind are known."""
        return Ref(scope=scope, kind=kind.name, id=self.id)


def parse(text: str, *, triggers: bool = False) -> Reference:
    """Read one reference, in its own form or as a link; with `triggers` that of a trigger, which has no link.

    Raises `UsageError` with what is wrong and what would be right; sends nothing.
    """
    if _UNSAFE.search(text) or not text:
        raise _wrong(text, "a reference cannot contain spaces, control or non-ASCII characters")
    names = _providers_named(text)
    link = None if triggers or len(names) == 1 else _links(names).fullmatch(text)
    if link is not None:
        return _linked(text, link[1] or "", link[2])
    within = None if triggers else _links_as_ids(names).fullmatch(text)
    if within is not None:
        return _with_link(text, within[1], within[2])
    return _plain(text, triggers=triggers)


def _plain(text: str, *, triggers: bool) -> Reference:
    context, name, region, kind, id = _parts(text, text, triggers=triggers)
    reference = Reference(
        text=text,
        id=id,
        context=context,
        provider=name,
        region=region,
        kind=kind,
        trigger=triggers,
    )
    if not reference.providers:
        raise _no_such_id(reference)
    kinds = [kind for each in reference.providers for kind in reference.kinds(each)]
    return structs.replace(reference, id=id.lower()) if all(kind.case_insensitive for kind in kinds) else reference


def _parts(
    text: str, before: str, *, triggers: bool = False
) -> tuple[str | None, str | None, str | None, str | None, str]:
    """Context, provider, region, kind and id of `text`, of which `before` is read. Raises `UsageError`."""
    context, at, rest = before.rpartition("@")
    if at and not context:
        raise _wrong(text, "the context before @ is empty")
    *scope, tail = rest.split(":")
    kind, slash, id = _parted(tail, triggers=triggers)
    if slash and not kind:
        raise _wrong(text, "the kind before / is empty")
    name, region = _scope(text, scope)
    if kind:
        _check_kind(text, name, kind, triggers=triggers)
    return _context(text, context), name, region, kind or None, id


def _with_link(text: str, before: str, link: str) -> Reference:
    """A reference whose id is itself a link: what stands before it has to agree with the link.

    It is the form that every output prints, so the cloud decides about the account, as for any other reference.
    """
    context, *typed, _ = _parts(text, before)
    linked = structs.replace(_linked(text, "", link), text=text, context=context, account=None)
    for what, one, other in zip(
        ("provider", "region", "kind"), typed, (linked.provider, linked.region, linked.kind), strict=True
    ):
        if one not in (None, other):
            raise _wrong(text, f"its {what} is {one}, but its id is one of {other}")
    return linked


def _parted(tail: str, *, triggers: bool) -> tuple[str, str, str]:
    """`kind`, `/`, `id`: the id of a trigger may have slashes, as `rule/BUS/NAME` has."""
    if not triggers:
        return tail.rpartition("/")
    kind, slash, id = tail.partition("/")
    return (kind, slash, id) if slash else ("", "", tail)


def parse_all(texts: Iterable[str], *, triggers: bool = False) -> tuple[Reference, ...]:
    """Read references, each once: a repeated one is dropped, however written; one malformed among them refuses all."""
    return unique(parse(text, triggers=triggers) for text in texts)


def as_written(run: RunName) -> Reference:
    """What a record calls a run, as a reference. Raises `UsageError`."""
    return Reference.of(run) if isinstance(run, Ref) and _is_known(run) else parse(run.text)


def _is_known(ref: Ref) -> bool:
    """Whether this program has its provider and kind: a newer one may have written it."""
    name = ref.scope.provider
    return name in PROVIDERS and any(
        ref.kind == one.name for one in (*_kinds(name, triggers=False), *_kinds(name, triggers=True))
    )


def unique(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each of them once, as it was written first."""
    by_meaning: dict[Reference, Reference] = {}
    for reference in references:
        by_meaning.setdefault(reference.meaning, reference)
    return tuple(by_meaning.values())


def full(text: str) -> Ref:
    """Read a reference in its full form, as every output prints it."""
    names = _providers_named(text)
    if len(names) > 1 and _links(names).fullmatch(text):
        raise _wrong(text, "only the full form is accepted here")
    reference = parse(text, triggers=_names_trigger(text))
    if reference.provider is None or reference.region is None:
        raise _wrong(text, "only the full form is accepted here")
    kinds = reference.kinds(reference.provider)
    if len(kinds) != 1:
        raise _wrong(text, "give the kind")
    scope = Scope(provider=reference.provider, region=reference.region, context=reference.context)
    return reference.at(scope, kinds[0])


def _providers_named(text: str) -> tuple[str, ...]:
    """The provider that a reference names before its first colon, else all: of a named one no other is loaded."""
    prefix = text.rpartition("@")[2].partition(":")[0] if text.count("@") < 2 else ""
    return (prefix,) if prefix in PROVIDERS else tuple(PROVIDERS)


@cache
def _links(names: tuple[str, ...]) -> re.Pattern[str]:
    """A URL or a link in a vendor's own form, which may have a context before it as any reference."""
    own = [re.escape(prefix) for name in names for prefix in provider(name).link_prefixes]
    return re.compile(rf"(?:([^@:/]*)@)?((?:{'|'.join((*own, _URL))}).*)")


def _names_trigger(text: str) -> bool:
    """Whether a full reference has the kind of a trigger."""
    name = RunName.parse(text)
    return isinstance(name, Ref) and name.scope.provider in PROVIDERS and trigger_kind_of(name) is not None


@cache
def _links_as_ids(names: tuple[str, ...]) -> re.Pattern[str]:
    """A reference up to its kind, and an id that is a link in a vendor's own form."""
    own = [re.escape(prefix) for name in names for prefix in provider(name).link_prefixes]
    return re.compile(rf"(.*?/)((?:{'|'.join(own)}).*)" if own else "(?!)")


def nearest(word: str, words: Iterable[str]) -> str:
    """A did-you-mean clause, or an empty text when nothing is near."""
    import difflib  # only for who mistyped

    closest = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {closest[0]}?" if closest else ""


def _linked(text: str, context: str, link: str) -> Reference:
    """The run that a link names, as exactly as the full form names one."""
    from runcancel.providers.common.links import NotARun  # only for links

    if text.startswith("@"):
        raise _wrong(text, "the context before @ is empty")
    for name in PROVIDERS:
        try:
            link_target = provider(name).link(link)
        except NotARun as error:
            raise _no_link(link, error.why, error.hint) from None
        if link_target is not None:
            full = f"{context}{'@' if context else ''}{name}:{link_target.region}:{link_target.kind}/{link_target.id}"
            return Reference(
                text=text if link_target.repeatable else full,
                id=link_target.id,
                context=_context(text, context),
                provider=name,
                region=link_target.region,
                kind=link_target.kind,
                account=link_target.account,
            )
    *titles, last = (provider(name).title for name in PROVIDERS)
    raise _no_link(link, f"it is not a console URL of {', '.join(titles)} or {last}", None)


def _no_link(link: str, why: str, hint: str | None) -> UsageError:
    """A URL is quoted without what may hold a way to sign in."""
    from runcancel.providers.common.links import LINKS

    message = f"“{quoted(bare_urls(link))}” is not a reference: {why}; nothing was sent"
    return UsageError(message, hint=hint or f"The form of a reference: {_FORM}, or {LINKS}")


def _context(text: str, quoted: str) -> str | None:
    try:
        return unquote(quoted, errors="strict") or None
    except UnicodeDecodeError:
        raise _wrong(text, "the context before @ is not percent-encoded UTF-8") from None


def _scope(text: str, parts: list[str]) -> tuple[str | None, str | None]:
    match parts:
        case []:
            return None, None
        case [name] if name in PROVIDERS:
            return name, None
        case [region] if REGION.fullmatch(region):
            return None, region
        case [name, region] if name in PROVIDERS and REGION.fullmatch(region):
            return name, region
        case [name, region] if name in PROVIDERS:
            raise _wrong(text, f"“{region}” {NOT_A_REGION}")
        case [name] | [name, _]:
            raise _wrong(text, f"no provider “{name}” (providers: {', '.join(PROVIDERS)}){nearest(name, PROVIDERS)}")
    raise _wrong(text, "too many parts")


def _kinds(name: str, *, triggers: bool) -> tuple[Kind, ...]:
    return provider(name).trigger_kinds if triggers else provider(name).kinds


def _kind_names(name: str | None, *, triggers: bool) -> list[str]:
    return [one.name for each in PROVIDERS if name in (None, each) for one in _kinds(each, triggers=triggers)]


def _check_kind(text: str, name: str | None, kind: str, *, triggers: bool) -> None:
    kinds = _kind_names(name, triggers=triggers)
    if kind not in kinds:
        if kind in _kind_names(name, triggers=not triggers):
            raise _other(text, trigger=triggers)
        of = "" if name is None else f" of {name}"
        raise _wrong(text, f"no kind “{kind}”{of} (kinds: {', '.join(dict.fromkeys(kinds))}){nearest(kind, kinds)}")


def _no_such_id(reference: Reference) -> UsageError:
    other = structs.replace(reference, text="", trigger=not reference.trigger)
    if reference.id and other.providers:
        return _other(reference.text, trigger=reference.trigger)
    if not reference.id:
        return _wrong(reference.text, "the id is missing")
    expected = _shapes(triggers=reference.trigger)
    what = "trigger" if reference.trigger else "run"
    if reference.id == reference.text:
        message = f"“{quoted(reference.id)}” is not a {what} id. Expected {expected}; nothing was sent"
        return UsageError(message, hint=f"The form of a reference: {_FORM}")
    kind = reference.kind or what
    article = "an" if kind[0] in "aeiou" else "a"
    of = "" if reference.provider is None else f" of {reference.provider}"
    forms = {
        kind_there.form
        for name in PROVIDERS
        for kind_there in provider(name).kinds
        if kind_there.name == reference.kind
    }
    expected = " or ".join(sorted(forms - {""})) or expected
    return _wrong(reference.text, f"“{quoted(reference.id)}” is not {article} {kind} id{of}; expected {expected}")


def _other(text: str, *, trigger: bool) -> UsageError:
    """A trigger where a run is expected, or with `trigger` a run where one is."""
    verb, what, not_a = ("cancel", "run", "trigger") if trigger else ("disable", "trigger", "run")
    return UsageError(
        f"“{quoted(text)}” names a {what}, not a {not_a}; nothing was sent",
        hint=f"To {verb} it:",
        call=(verb, text),
    )


def _shapes(*, triggers: bool) -> str:
    """The forms of ids, for the message about an unknown form."""
    providers = list(map(provider, PROVIDERS))
    if triggers:
        shapes = [
            f"{', '.join(k.form for k in one.trigger_kinds)} ({one.title})" for one in providers if one.trigger_kinds
        ]
    else:
        shapes = [f"{one.ids} ({one.title})" for one in providers]
    return " or ".join([", ".join(shapes[:-1]), shapes[-1]] if shapes[1:] else shapes)


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(
        f"“{quoted(bare_urls(text))}” is not a reference: {why}; nothing was sent",
        hint=f"The form of a reference: {_FORM}",
    )
