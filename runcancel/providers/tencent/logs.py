"""What TAT keeps of the output of one task: its TaskResult in DescribeInvocationTasks."""

from collections.abc import Mapping

from msgspec import structs

from runcancel.model.logs import Output
from runcancel.model.runs import Invocation
from runcancel.providers.common.fields import JsonObject, decoded, number, text


def output(invocation: Invocation, task: JsonObject) -> Output:
    """Both streams in one, in order; the first 24 KB, and `Dropped` says how many bytes came after."""
    task_result = task.get("TaskResult")
    result: JsonObject = task_result if isinstance(task_result, Mapping) else {}
    dropped = number(result.get("Dropped"))
    content = decoded(result.get("Output"), cut=bool(dropped))
    return structs.replace(
        Output.of(invocation, merged=True),
        stdout=content.text if "Output" in result else None,
        truncated=bool(dropped),
        dropped=dropped,
        damaged=content.damaged,
        location=text(result.get("OutputUrl")),
        upload_error=text(result.get("OutputUploadCOSErrorInfo")),
    )
