"""botocore's service models, loaded no further than they are used.

To open one client botocore lists every version of every service that it ships (2,700 looks at the disk), reads two
megabytes of JSON in Python's own decoder and makes a method of each of 160 operations. A scope needs a dozen of them.
"""

import gzip
import zlib
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader, create_loader

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.wire import APIS

OURS = frozenset({"cloudtrail", "ec2", "events", "organizations", "scheduler", "ssm", "stepfunctions"})
"""Services of which only what `wire` calls is kept; credentials may need anything of the others."""


def models(data_path: str | None) -> Loader:
    """A loader for `Session.register_component("data_loader", …)`. `data_path` as in AWS_DATA_PATH."""
    search_paths = create_loader(data_path).search_paths
    return _Models(extra_search_paths=list(search_paths), file_loader=_Files(), include_default_search_paths=False)


class _Models(Loader):
    def list_available_services(self, type_name: str) -> list[str]:
        """Every service that has a folder; whether `type_name` is in it shows when it is loaded."""
        folders = (Path(path) for path in self.search_paths)
        return sorted({each.name for folder in folders if folder.is_dir() for each in folder.iterdir()})

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """The model of one service."""
        model = super().load_service_model(service_name, type_name, api_version)
        if service_name not in OURS or type_name != "service-2":
            return model
        if not isinstance(model.get("operations"), dict):
            raise _unusable(f"the service model of {service_name} has no operations")
        return {**model, "operations": {name: one for name, one in model["operations"].items() if name in APIS}}


class _Files(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:
        """The content of `file_path` with its ending; None when there is no such file."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        path = plain if plain.is_file() else packed
        if not path.is_file():
            return None
        try:
            content = path.read_bytes() if path is plain else gzip.decompress(path.read_bytes())
            return msgspec.json.decode(content, type=dict[str, Any])
        except (OSError, EOFError, ValueError, RecursionError, zlib.error):
            raise _unusable(f"{path} is not a service model") from None


def _unusable(what: str) -> CloudError:
    """A model that the user put in place of botocore's own."""
    hint = "botocore reads service models in ~/.aws/models and in the folders that AWS_DATA_PATH names"
    return CloudError(Reason.NOT_CONFIGURED, f"{what}; nothing was sent", hint=hint)
