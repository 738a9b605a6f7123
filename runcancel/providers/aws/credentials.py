"""AWS's credentials: botocore's own chain, used once, its failures in words, nothing written to a disk."""

import threading
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import botocore.session
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import JSONFileCache

from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws import private
from runcancel.providers.aws.failures import error_response, no_response
from runcancel.providers.aws.keys import described
from runcancel.providers.aws.profile import files, profile_in_use, profiles
from runcancel.providers.common.credential_process import document, ended, printed
from runcancel.providers.common.credentials import RETRY_AFTER, Credentials, Renewed, expiry, failed_credentials
from runcancel.providers.common.fields import check_keys, text
from runcancel.providers.common.files import home

_PROCESS = "custom-process"
_RENEWS = frozenset({"refreshToken", "clientId", "clientSecret"})
"""What a stored sign-in is renewed with: a renewal that is not stored would end the sign-in of the vendor's CLI."""


class Once:
    """The credentials of a session, as botocore's signers use them. Threads may share it.

    A failure to get them is final: asking again may send another second factor to a telephone, once for each request.
    A failure to renew them leaves the old ones in use while they are good. The source is asked no more than once a
    minute, however soon its keys end.
    """

    def __init__(self, credentials: Any, source: str, *, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._source = source
        self._now = now
        self._lock = threading.Lock()
        self._frozen: Any = None
        self._ends = 0.0
        self._due = 0.0
        self._failure: CloudError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._credentials, name)

    def get_frozen_credentials(self) -> Any:
        """The keys, renewed where they had to be. Raises `CloudError`."""
        with self._lock:
            if self._failure is not None:
                raise self._failure.fresh()
            if self._now() >= self._due:
                self._frozen = self._renewed()
            return self._frozen

    def _renewed(self) -> Any:
        now = self._now()
        try:
            with in_words(self._source):
                frozen = self._credentials.get_frozen_credentials()
                check_keys((frozen.access_key, frozen.secret_key, frozen.token), self._source)
        except CloudError as error:
            if now >= self._ends:
                self._failure = error
                raise error.fresh() from None
            frozen = self._frozen
        else:
            self._ends = private.end_of(self._credentials) or 0.0
        self._due = now + min(RETRY_AFTER, max(0.0, self._ends - now) / 2)
        return frozen


_signer: ContextVar[Any] = ContextVar("signer", default=None)


@contextmanager
def signed_by(credentials: Any) -> Iterator[None]:
    """Sign the requests of this thread with these credentials: accounts share clients, and each signs for itself."""
    token = _signer.set(credentials)
    try:
        yield
    finally:
        _signer.reset(token)


class Signer:
    """The credentials of shared clients: those of `signed_by`, else the session's own."""

    def __init__(self, own: Once) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(_signer.get() or self._own, name)


def acquire(session: botocore.session.Session, profile: str | None, environ: Mapping[str, str]) -> Once:
    """Ask for the session's credentials, at once; its clients sign with them, or with those of `signed_by`.

    Raises `CloudError` in the words of their source.
    """
    source = described(environ, profile)
    with in_words(source):
        _keep_out_of_files(session, environ, profile)
        credentials = session.get_credentials()
    if credentials is None:
        raise CloudError(
            Reason.NO_CREDENTIALS,
            f"no AWS credentials: tried {_tried(profile, environ)}",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, sign in (`aws sso login`), or name a --profile",
        )
    once = Once(credentials, source)
    once.get_frozen_credentials()
    signer = Signer(once)
    session.get_credentials = lambda: signer
    return once


@contextmanager
def in_words(source: str) -> Iterator[None]:
    """Whatever a source of credentials raises becomes a `CloudError` with the cause."""
    try:
        yield
    except CloudError as error:
        raise failed_credentials(source, error) from None
    except ClientError as error:
        raise failed_credentials(source, error_response(error, action="credentials")) from None
    except Exception as error:  # noqa: BLE001 - what botocore's sources let through: JSON, files, missing keys
        raise _failure(source, error) from None


def _failure(source: str, error: Exception) -> CloudError:
    words = next((_WORDS[base.__name__](error) for base in type(error).__mro__ if base.__name__ in _WORDS), None)
    if words is None and isinstance(error, BotoCoreError):
        failure = no_response(error, action="credentials")
        reason = failure.reason if failure.reason in CREDENTIALS else Reason.NO_CREDENTIALS
        message = failure.message.removeprefix("credentials: ")
        return CloudError(reason, f"{source}: {message}", action="credentials", hint=failure.hint)
    return failed_credentials(source, words or CloudError(Reason.NO_CREDENTIALS, "returned no usable credentials"))


def _json(error: Any) -> CloudError:
    try:
        document(error.doc, "its credential_process")
    except CloudError as told:
        return told
    return CloudError(Reason.NO_CREDENTIALS, "returned no JSON")


def _file(error: Any) -> CloudError:
    what = f"{error.filename} cannot be read" if error.filename else "it cannot be used"
    return CloudError(Reason.NO_CREDENTIALS, f"{what}: {(error.strerror or 'unknown reason').lower()}")


def _lacking(error: Any) -> CloudError:
    name = error.args[0] if error.args and isinstance(error.args[0], str) and error.args[0].isidentifier() else "a key"
    return CloudError(Reason.NO_CREDENTIALS, f"its reply lacks {name}")


def _partial(error: Any) -> CloudError:
    missing = str(error.kwargs.get("cred_var", "")).upper() if error.kwargs.get("provider") == "env" else ""
    if missing:
        return CloudError(Reason.NO_CREDENTIALS, f"AWS_ACCESS_KEY_ID is set but {missing} is not", action="credentials")
    return CloudError(Reason.NO_CREDENTIALS, f"{error.kwargs.get('cred_var')} is missing")


def _loop(error: Any) -> CloudError:
    path = (*error.kwargs.get("visited_profiles", ()), error.kwargs.get("source_profile"))
    return CloudError(Reason.NO_CREDENTIALS, f"source_profile is a loop: {' → '.join(map(str, path))}")


def _retrieval(error: Any) -> CloudError:
    if error.kwargs.get("provider") != _PROCESS:
        return CloudError(Reason.NO_CREDENTIALS, f"could not get credentials from {error.kwargs.get('provider')}")
    return ended("its credential_process", 1, str(error.kwargs.get("error_msg", "")))


def _metadata(_error: Any) -> CloudError:
    return CloudError(Reason.NO_CREDENTIALS, "returned no credentials")  # the text of the error quotes the answer


def _value(error: Any) -> CloudError:
    if "Unsupported host" in str(error):
        why = "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this machine"
        return CloudError(Reason.NO_CREDENTIALS, why)
    return CloudError(Reason.NO_CREDENTIALS, "returned no usable credentials")


def _signed_out(_error: Any) -> CloudError:
    hint = "sign in: aws sso login (or aws login)"
    return CloudError(Reason.EXPIRED_CREDENTIALS, "the sign-in is missing or has expired", hint=hint)


def _no_extra(_error: Any) -> CloudError:
    hint = "use the output of: aws configure export-credentials --format env"
    return CloudError(Reason.NO_CREDENTIALS, "a login_session is not supported", hint=hint)


_WORDS: Mapping[str, Callable[[Any], CloudError]] = {
    "JSONDecodeError": _json,
    "PartialCredentialsError": _partial,
    "InfiniteLoopConfigError": _loop,
    "CredentialRetrievalError": _retrieval,
    "MetadataRetrievalError": _metadata,
    "SSOTokenLoadError": _signed_out,
    "UnauthorizedSSOTokenError": _signed_out,
    "TokenRetrievalError": _signed_out,
    "LoginTokenLoadError": _signed_out,
    "MissingDependencyException": _no_extra,
    "KeyError": _lacking,
    "ValueError": _value,
    "OSError": _file,
}
"""What is wrong, by the name of the exception or of its nearest base that is here."""


class _ProcessProvider:
    """`credential_process` of a profile: run once, without a terminal, for a minute at most."""

    METHOD = _PROCESS

    def __init__(self, command: str | None, source: str) -> None:
        self._command = command
        self._source = source

    def load(self) -> Any:
        """See botocore."""
        if self._command is None:
            return None
        renewed = Renewed(self._run, source=self._source)
        row = _metadata_of(renewed())
        if row["expiry_time"] is None:
            return BotocoreCredentials(row["access_key"], row["secret_key"], row["token"], method=self.METHOD)
        return RefreshableCredentials.create_from_metadata(row, lambda: _metadata_of(renewed()), self.METHOD)

    def _run(self) -> Credentials:
        row = printed(self._command or "", self._source)
        if row.get("Version") != 1:
            raise CloudError(Reason.NO_CREDENTIALS, f"{self._source} printed no Version 1")
        id, secret = text(row.get("AccessKeyId")), text(row.get("SecretAccessKey"))
        if not id or not secret:
            raise CloudError(Reason.NO_CREDENTIALS, f"{self._source} printed no AccessKeyId and SecretAccessKey")
        token, ends = text(row.get("SessionToken")), expiry(row.get("Expiration"))
        return Credentials(id=id, secret=secret, token=token, source=self._source, expires_at=ends)


def _metadata_of(keys: Credentials) -> dict[str, Any]:
    from datetime import UTC, datetime

    ends = None if keys.expires_at is None else datetime.fromtimestamp(keys.expires_at, UTC).isoformat()
    return {"access_key": keys.id, "secret_key": keys.secret, "token": keys.token, "expiry_time": ends}


class _Stored(MutableMapping[str, Any]):
    """The sign-ins that the vendor's CLI keeps in files: read, never written, and never renewed."""

    def __init__(self, folder: Path) -> None:
        self._cache = JSONFileCache(str(folder))

    def __getitem__(self, key: str) -> Any:
        row = self._cache[key]
        return {name: value for name, value in row.items() if name not in _RENEWS} if isinstance(row, dict) else row

    def __setitem__(self, key: str, value: Any) -> None:
        """What is new is kept in memory by the map above this one."""

    def __delitem__(self, key: str) -> None:
        """Nothing of the vendor's is taken away."""

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, key: object) -> bool:
        return key in self._cache


def _keep_out_of_files(session: botocore.session.Session, environ: Mapping[str, str], profile: str | None) -> None:
    """Let no source write a file or ask a question, and let a command run once.

    A second factor is taken from the session that the vendor's CLI keeps.
    """
    aws = home(environ) / ".aws"
    login = Path(environ.get("AWS_LOGIN_CACHE_DIRECTORY") or aws / "login" / "cache")
    private.keep_in(
        session,
        roles=ChainMap({}, _Stored(aws / "cli" / "cache")),
        sso=ChainMap({}, _Stored(aws / "sso" / "cache")),
        login=ChainMap({}, _Stored(login)),
        ask=_refuse_to_ask,
    )
    name = profile_in_use(environ, profile).value
    section = profiles(environ).profiles.get(name, {})
    command = section.get("credential_process")
    replaced = private.of_profile(session, name, ("sso", "login"))
    replaced[_PROCESS] = _ProcessProvider(command, f"credential_process of profile {name}")
    resolver = session.get_component("credential_provider")
    resolver.providers[:] = [replaced.get(one.METHOD, one) for one in resolver.providers]


def _refuse_to_ask(_question: str) -> str:
    raise CloudError(
        Reason.NO_CREDENTIALS,
        "the profile needs a second factor, which is not supported",
        action="credentials",
        hint="sign in with the vendor's CLI first: aws sts get-caller-identity --profile NAME",
    )


def _tried(profile: str | None, environ: Mapping[str, str]) -> str:
    """Profile and variables exclude each other: a named profile takes its keys from files only."""
    config, credentials = files(environ)
    in_files = f"profile “{profile_in_use(environ, profile).value}” in {config} and {credentials}"
    if profile is not None:
        return in_files
    return f"AWS_ACCESS_KEY_ID, web identity, {in_files}, container and instance roles"
