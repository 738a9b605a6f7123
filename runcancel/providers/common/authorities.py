"""Whose certificates are trusted: one answer for every cloud and for every source of credentials."""

import os
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from runcancel.errors import CloudError
from runcancel.model.states import Reason

CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Those of all SDKs, in order. The first that is set counts for every cloud alike."""

_INSPECTED = f"where a proxy inspects TLS, name the file with its CA in one of {', '.join(CA_VARIABLES[:4])}"


class Authorities:
    """The CA file or folder that a profile or a variable names, else certifi's.

    `bundle` is a path and where it was set, for a vendor's own setting; it wins over the variables.
    """

    def __init__(self, environ: Mapping[str, str], bundle: tuple[str, str] | None = None) -> None:
        from_variables = ((environ[name], name) for name in CA_VARIABLES if environ.get(name))
        source: tuple[str | None, str | None] = bundle or next(from_variables, (None, None))
        self._path, self._origin = source

    def context(self) -> ssl.SSLContext:
        """What verifies a server; made once per file. Raises `CloudError` for a file that has no certificates.

        `Reason.NOT_CONFIGURED` where it does not exist, `Reason.INVALID` where it cannot be used.
        """
        if self._path is None or self._origin is None:
            import certifi

            return _context(certifi.where())
        path = Path(os.path.expanduser(self._path))
        try:
            if not path.exists():
                raise CloudError(
                    Reason.NOT_CONFIGURED, f"{self._origin} names {path}, which does not exist; nothing was sent"
                )
            if path.is_dir():
                return _context(str(path))
            if not path.read_bytes().strip():
                raise self._unusable("is empty")
            return _context(str(path))
        except ssl.SSLError:
            raise self._unusable("has no certificates") from None
        except OSError as error:
            raise self._unusable(f"cannot be read ({error.strerror or type(error).__name__})") from None

    def not_trusted(self, host: str, error: object) -> CloudError:
        """The error for a certificate that was refused: nothing was sent, and repeating cannot mend it."""
        why = _why(str(error))
        checked = f"; checked against {self._origin}={self._path}" if self._origin else ""
        return CloudError(
            Reason.INVALID,
            f"the certificate of {host} is not trusted{why}{checked}; nothing was sent",
            hint=_INSPECTED,
        )

    def _unusable(self, what: str) -> CloudError:
        return CloudError(
            Reason.INVALID,
            f"the CA bundle {self._path} of {self._origin} {what}; nothing was sent",
            hint=f"{self._origin} must name a file of PEM certificates; unset it to trust the usual authorities",
        )


@cache
def _context(path: str) -> ssl.SSLContext:
    folder = Path(path).is_dir()
    context = ssl.create_default_context(capath=path if folder else None, cafile=None if folder else path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


def _why(error: str) -> str:
    """OpenSSL's own clause out of the text of an error, in brackets."""
    _, matched, rest = error.partition("certificate verify failed: ")
    clause = rest.partition(" (_ssl")[0].strip().rstrip(".')")
    return f" ({clause})" if matched and clause else ""
