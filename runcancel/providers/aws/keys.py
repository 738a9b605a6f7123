"""Which of AWS's sources of credentials is set up, and the keys that stand in a variable or in the credentials file.

Keys that have to be requested, of a role, a sign-in, a process or a machine, are botocore's: see `credentials`.
"""

from collections.abc import Mapping

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.profile import files, profile_in_use, profiles
from runcancel.providers.aws.signature import Keys
from runcancel.providers.common.credentials import failed_credentials
from runcancel.providers.common.fields import check_keys
from runcancel.providers.common.files import ini
from runcancel.redaction import remember

_NUMBERS = ("AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "AWS_MAX_ATTEMPTS")
_ROLES = (
    *("role_arn", "web_identity_token_file", "login_session"),
    *("sso_start_url", "sso_account_id", "sso_role_name", "sso_session"),
)
"""Keys of a profile whose source botocore tries before the keys in the credentials file."""


class FixedKeys:
    """Keys that no request has to give, as botocore's signers use them."""

    def __init__(self, keys: Keys, source: str) -> None:
        try:
            check_keys((keys.access_key, keys.secret_key, keys.token), source)
        except CloudError as error:
            raise failed_credentials(source, error) from None
        remember(keys.secret_key, keys.token)
        self._keys = keys

    def get_frozen_credentials(self) -> Keys:
        """The keys."""
        return self._keys


def fixed_keys(environ: Mapping[str, str], profile: str | None) -> FixedKeys | None:
    """The keys of a variable or of the credentials file, where nothing else comes into question; else None.

    The order is botocore's. What is half set, ends at a time or is named twice is left to botocore, too.
    """
    name = profile_in_use(environ, profile).value
    if profile is None and environ.get("AWS_ACCESS_KEY_ID"):
        keys = _of_variables(environ)
    else:
        keys = _of_file(environ, name, ambient=profile is None)
    return None if keys is None else FixedKeys(keys, described(environ, profile))


def _of_variables(environ: Mapping[str, str]) -> Keys | None:
    tokens = {environ[name] for name in ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN") if environ.get(name)}
    secret = environ.get("AWS_SECRET_ACCESS_KEY")
    if not secret or len(tokens) > 1 or environ.get("AWS_CREDENTIAL_EXPIRATION"):
        return None
    return Keys(environ["AWS_ACCESS_KEY_ID"], secret, next(iter(tokens), None))


def _of_file(environ: Mapping[str, str], name: str, *, ambient: bool) -> Keys | None:
    if ambient and (environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or environ.get("AWS_ROLE_ARN")):
        return None
    if any(key in profiles(environ).profiles.get(name, {}) for key in _ROLES):
        return None
    section = _in_credentials_file(environ, name)
    id, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    tokens = {section[key] for key in ("aws_security_token", "aws_session_token") if section.get(key)}
    return Keys(id, secret, next(iter(tokens), None)) if id and secret and len(tokens) < 2 else None


def check_numbers(environ: Mapping[str, str]) -> None:
    """Raise `Reason.NO_CREDENTIALS` for a variable of botocore's that has to be a number and is none."""
    for name in _NUMBERS:
        if (value := environ.get(name)) and not value.strip().isdecimal():
            message = f"{name} is “{value}”, which is not a whole number"
            raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=f"correct or unset {name}")


def described(environ: Mapping[str, str], profile: str | None) -> str:
    """The source of credentials in words: the first of botocore's chain that is set up."""
    name = profile_in_use(environ, profile).value
    section = profiles(environ).profiles.get(name, {})
    ambient = environ if profile is None else {}
    by_role = section.get("role_arn")
    token_file = ambient.get("AWS_WEB_IDENTITY_TOKEN_FILE") or section.get("web_identity_token_file")
    sources = (
        (ambient.get("AWS_ACCESS_KEY_ID"), "AWS_ACCESS_KEY_ID of the environment"),
        (by_role and "web_identity_token_file" not in section, f"role {by_role} of profile {name}"),
        (token_file, f"the web identity in {token_file}"),
        (section.get("sso_account_id"), f"the single sign-on of profile {name}"),
        ("aws_access_key_id" in _in_credentials_file(environ, name), f"profile {name}, shared-credentials-file"),
        (section.get("login_session"), f"the sign-in of profile {name}"),
        (section.get("credential_process"), f"credential_process of profile {name}"),
        (section.get("aws_access_key_id"), f"profile {name}, config-file"),
        (environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "the container's role"),
        (environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "the container's role"),
    )
    return next((words for there, words in sources if there), "the instance's role")


def _in_credentials_file(environ: Mapping[str, str], name: str) -> Mapping[str, str]:
    _, credentials = files(environ)
    return (ini(credentials) or {}).get(name, {})
