"""A context out of the options of `contexts add`."""

import re
from typing import Annotated

import typer

from runcancel.cli.bundles import Bundle
from runcancel.cli.session import Session
from runcancel.config import settings
from runcancel.config.file import Context, unusable
from runcancel.errors import UsageError
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.guarded import resolved

_KEY = r"\b(?:role_arn|source_profile)\b"
"""A key of the configuration that is an option here."""


class NewContext(Bundle, frozen=True, kw_only=True):
    """What a context has besides the provider, the profile and the regions of the connection."""

    endpoint_url: Annotated[
        str | None, typer.Option("--endpoint-url", metavar="URL", help="With add: use this endpoint.")
    ] = None
    site: Annotated[
        str | None, typer.Option("--site", metavar="DOMAIN", help="With add: the site of Tencent Cloud.")
    ] = None
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="With add: the required account.")] = (
        None
    )
    role_arn: Annotated[str | None, typer.Option("--role-arn", metavar="ROLE", help="With add: assume this role.")] = (
        None
    )
    source_profile: Annotated[
        str | None,
        typer.Option("--source-profile", metavar="NAME", help="Assume the role with the credentials of this profile."),
    ] = None
    external_id: Annotated[
        str | None, typer.Option("--external-id", metavar="ID", help="The external id that the role requires.")
    ] = None
    protected: Annotated[bool, typer.Option("--protected", help="With add: require confirmation of every cancel.")] = (
        False
    )
    no_check: Annotated[
        bool, typer.Option("--no-check", help="With add: accept a profile that cannot be used here.")
    ] = False


def context_of(session: Session, options: NewContext) -> Context:
    """A context out of the options that mean the same everywhere. Raises `UsageError`."""
    scope_settings = session.settings
    if len(scope_settings.providers.value) != 1:
        *flags, last = (f"-p {each}" for each in PROVIDERS)
        raise UsageError(f"contexts add needs one provider: {', '.join(flags)} or {last}")
    name = scope_settings.providers.value[0]
    if options.site is not None and options.site not in provider(name).sites:
        raise UsageError(f"--site is “{options.site}”: {settings.no_such_site(name)}; nothing was changed")
    new = Context(
        provider=name,
        profile=scope_settings.profile.value if scope_settings.profile.typed else None,
        regions=tuple(_own(region, name) for region in scope_settings.regions.value)
        if scope_settings.regions.typed
        else (),
        endpoint_url=options.endpoint_url,
        site=options.site,
        protected=options.protected,
        account=options.account,
        role_arn=options.role_arn,
        external_id=options.external_id,
        source_profile=options.source_profile,
    )
    problem = unusable(new)
    if problem is not None:
        key, why = problem
        why = re.sub(_KEY, lambda match: f"--{_dashed(match[0])}", why)
        raise UsageError(f"--{_dashed(key)} {why}; nothing was changed")
    if not options.no_check:
        _check_profile(session, new)
    return new


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _check_profile(session: Session, new: Context) -> None:
    """Raise `UsageError` for a profile that is named and cannot be used. Sends no request."""
    if new.vendor_profile is None:
        return
    error = resolved(new.provider, session.settings.environ, new.vendor_profile).error
    if error is not None:
        hint = f"{error.hint}   " if error.hint else ""
        raise UsageError(f"{error.message}; nothing was changed", hint=f"{hint}To add it anyway: --no-check")


def _own(region: str, provider: str) -> str:
    """A region without the provider before it, which has to be this one."""
    name, colon, rest = region.rpartition(":")
    if colon and name != provider:
        raise UsageError(f"{provider} has no region {region} (-r); nothing was changed")
    return rest
