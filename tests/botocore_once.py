"""What botocore works out anew for every session and client, worked out once for all copies of the warm process.

It comes from botocore's own files, and nothing of a command line is in it. Where a folder of the user's may hold
models, botocore reads everything anew.
"""

import inspect
import os
from collections.abc import Callable, Hashable
from typing import Any

from botocore import BOTOCORE_ROOT, hooks
from botocore.client import ClientCreator
from botocore.session import Session

from runcancel.providers.aws.models import OURS, models

_OWN = os.path.join(BOTOCORE_ROOT, "data")
_NOWHERE = {"endpoint_url": "http://127.0.0.1:1", "aws_access_key_id": "-", "aws_secret_access_key": "-"}


def install() -> None:
    """Make botocore keep it, and work out what a client of each service takes."""
    loader = models(None)
    _keep(type(loader.file_loader), "load_file", lambda _, path: path if path.startswith(_OWN + os.sep) else None)
    _keep(type(loader), "load_service_model", lambda self, *names, **more: _if_own(self, *names, *more.values()))
    _keep(ClientCreator, "_load_service_model", lambda self, *names: _if_own(self._loader, *names))
    _keep(ClientCreator, "_create_client_class", lambda self, name, _: _if_own(self._loader, name))
    _keep_about_handlers()
    session = Session()
    session.register_component("data_loader", loader)
    for service in (*OURS, "sts"):
        session.create_client(service, "us-east-2", **_NOWHERE)


def _keep(owner: type, name: str, key_of: Callable[..., Hashable]) -> None:
    """Have a method answer once for each key, and every time where the key is None."""
    method: Callable[..., Any] = getattr(owner, name)
    answers: dict[Hashable, Any] = {}

    def answer(*args: Any, **options: Any) -> Any:
        key = key_of(*args, **options)
        if key is None:
            return method(*args, **options)
        if key not in answers:
            answers[key] = method(*args, **options)
        return answers[key]

    setattr(owner, name, answer)


def _if_own(loader: Any, *names: str) -> Hashable:
    """The names as this kind of loader takes them, if it finds nothing but botocore's own models."""
    alone = all(path == _OWN or not os.path.isdir(path) for path in loader.search_paths)
    return (type(loader), *names) if alone else None


def _keep_about_handlers() -> None:
    """Whether handlers of events take keywords, and other names of events."""
    asks, fresh, names = hooks.accepts_kwargs, hooks.EventAliaser.__init__, {}

    def takes_keywords(handler: Any) -> Any:
        code = getattr(handler, "__code__", None)
        return asks(handler) if code is None else code.co_flags & inspect.CO_VARKEYWORDS

    def with_names(self: hooks.EventAliaser, *args: object) -> None:
        fresh(self, *args)
        if self._event_aliases == hooks.EVENT_ALIASES:
            self._alias_name_cache = names

    hooks.accepts_kwargs = takes_keywords
    hooks.EventAliaser.__init__ = with_names
