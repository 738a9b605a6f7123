"""What Cloud Assistant keeps of the output of one instance: a row of DescribeInvocationResults."""

from msgspec import structs

from runcancel.model.logs import Capture, Output
from runcancel.model.runs import Invocation
from runcancel.providers.common.fields import JsonObject, number, text, unpacked

_FIELDS = {"FinishedTime": "FinishTime", "InvokeRecordStatus": "InstanceInvokeStatus"}
"""What DescribeInvocations calls otherwise."""


def as_instance(row: JsonObject) -> JsonObject:
    """The row with the field names of DescribeInvocations."""
    return {_FIELDS.get(name, name): value for name, value in row.items()}


def output(invocation: Invocation, row: JsonObject) -> Capture:
    """Both streams in one; of more than 24 KB the middle is missing, and `Dropped` is the number of bytes."""
    dropped = number(row.get("Dropped"))
    content, intact = unpacked(row.get("Output"))
    record = structs.replace(
        Output.of(invocation, merged=True),
        truncated=bool(dropped),
        dropped=dropped,
        location=text(row.get("OssOutputUri")),
        upload_error=_upload_error(row),
    )
    return Capture(record=record, content=content if "Output" in row else None, intact=intact)


def _upload_error(row: JsonObject) -> str | None:
    """Why the output is not in OSS, in the vendor's words."""
    parts = [part for part in (text(row.get("OssOutputErrorCode")), text(row.get("OssOutputErrorInfo"))) if part]
    return ": ".join(parts) or ("Failed" if row.get("OssOutputStatus") == "Failed" else None)
