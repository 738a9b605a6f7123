"""What TAT keeps of the output of one task: its TaskResult in DescribeInvocationTasks."""

from collections.abc import Mapping

from msgspec import structs

from runcancel.model.logs import Capture, Output
from runcancel.model.runs import Invocation
from runcancel.providers.common.fields import JsonObject, number, text, unpacked


def output(invocation: Invocation, task: JsonObject) -> Capture:
    """Both streams in one, in order; the first 24 KB, and `Dropped` is the number of bytes after it."""
    task_result = task.get("TaskResult")
    result: JsonObject = task_result if isinstance(task_result, Mapping) else {}
    dropped = number(result.get("Dropped"))
    content, intact = unpacked(result.get("Output"))
    record = structs.replace(
        Output.of(invocation, merged=True),
        truncated=bool(dropped),
        dropped=dropped,
        location=text(result.get("OutputUrl")),
        upload_error=text(result.get("OutputUploadCOSErrorInfo")),
    )
    return Capture(record=record, content=content if "Output" in result else None, intact=intact)
