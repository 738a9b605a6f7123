"""Text to reference: full form, bare ids, and everything between; the other way is `str(ref)`."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Self
from urllib.parse import unquote

from msgspec import Struct, structs

from runcancel.errors import UsageError
from runcancel.model.runs import Kind, Ref, RunName, Scope
from runcancel.providers import PROVIDERS, provider, trigger_kind_of
from runcancel.redaction import bare_urls
from runcancel.text import quoted, words_of_shell

REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
NOT_A_REGION = "is not a region such as us-east-2, cn-hangzhou or ap-guangzhou"
_UNSAFE = re.compile(r"[^\x21-\x7e]")
_AROUND = " \t\n\r\v\f\"'`“”‘’«»()[]{}<>,;."
"""What is copied with a reference by mistake."""
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
    try:
        return _parsed(text, triggers=triggers)
    except UsageError as error:
        if (bare := _bare(text, triggers=triggers)) is not None:
            raise UsageError(error.message, hint=f"did you mean {bare}?") from None
        raise


def _parsed(text: str, *, triggers: bool) -> Reference:
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


def _bare(text: str, *, triggers: bool) -> str | None:
    """The reference in a text that was copied with its quotes, brackets, white space or in capitals."""
    bare = text.strip(_AROUND)
    for candidate in (bare, bare.lower()):
        with suppress(UsageError):
            if candidate != text:
                return words_of_shell(_parsed(candidate, triggers=triggers).text)
    return None


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
        from runcancel.config.wrong_references import another_sort, no_such_id

        if id and structs.replace(reference, text="", trigger=not triggers).providers:
            raise another_sort(text, trigger=triggers)
        raise no_such_id(text, id, kind=kind, provider_name=name, trigger=triggers)
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


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str:
    """A did-you-mean clause, or an empty text when nothing is near."""
    near = closest(word, words, cutoff=cutoff)
    return "" if near is None else did_you_mean(near)


def closest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The word that is nearest to one that was mistyped. `cutoff`: 1.0 is the same word."""
    import difflib  # only for who mistyped

    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)), None)


def did_you_mean(words: str) -> str:
    """The clause that offers a correction. The statement that nothing was sent follows it."""
    return f" (did you mean {words}?)"


def _wrong(text: str, why: str) -> UsageError:
    from runcancel.config.wrong_references import wrong  # only for who mistyped

    return wrong(text, why)


def _offered(what: str, word: str, words: Iterable[str]) -> str:
    """The words there are, and the one that is nearest to what was typed."""
    there = tuple(dict.fromkeys(words))
    near = closest(word, there)
    return f"{what}: {', '.join(there)}" + ("" if near is None else f"; did you mean {near}?")


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
    from runcancel.config.wrong_references import FORM
    from runcancel.providers.common.links import LINKS

    message = f"“{quoted(bare_urls(link))}” is not a reference: {why}; nothing was sent"
    return UsageError(message, hint=hint or f"The form of a reference: {FORM}, or {LINKS}")


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
            raise _wrong(text, f"no provider “{name}” ({_offered('providers', name, PROVIDERS)})")
    raise _wrong(text, "too many parts")


def _kinds(name: str, *, triggers: bool) -> tuple[Kind, ...]:
    return provider(name).trigger_kinds if triggers else provider(name).kinds


def _kind_names(name: str | None, *, triggers: bool) -> list[str]:
    return [one.name for each in PROVIDERS if name in (None, each) for one in _kinds(each, triggers=triggers)]


def _check_kind(text: str, name: str | None, kind: str, *, triggers: bool) -> None:
    kinds = _kind_names(name, triggers=triggers)
    if kind not in kinds:
        from runcancel.config.wrong_references import another_sort

        if kind.partition("/")[0] in _kind_names(name, triggers=not triggers):
            raise another_sort(text, trigger=triggers)
        of = "" if name is None else f" of {name}"
        raise _wrong(text, f"no kind “{kind}”{of} ({_offered('kinds', kind, kinds)})")
