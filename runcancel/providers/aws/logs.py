"""What AWS keeps of the output of commands, of automation steps, and of what windows and automations started."""

from collections.abc import Iterator, Mapping

from msgspec import structs

from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Finished, Output
from runcancel.model.runs import Invocation, InvocationFilter, Ref
from runcancel.model.states import Reason
from runcancel.providers.aws.automations import Automations
from runcancel.providers.aws.commands import Commands
from runcancel.providers.aws.facts import AUTOMATION, COMMAND, STATE_MACHINE, WINDOW
from runcancel.providers.aws.fields import record, word
from runcancel.providers.aws.state_machines import StateMachines
from runcancel.providers.aws.states import command_state
from runcancel.providers.aws.windows import Windows
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import JsonObject, number, rows, text, texts

_MOST_STDOUT, _MOST_STDERR = 24_000, 8_000  # characters that GetCommandInvocation answers with
_MOST_BOTH = 2_500  # characters of both streams in ListCommandInvocations
_CUT = ("--output truncated--", "---Output truncated---", "---Error truncated----")
"""What the agent writes at the end of what it cut; it keeps the beginning."""

_ERROR_FOLLOWS = "\n----------ERROR-------\n"
"""What the agent writes between the streams where it joins them."""

_ONLY_WHEN_ENDED = "AWS shows output only when a step has ended"
_NOT_KEPT = "the run that it started is no longer kept"
_NO_STREAMS = "Step Functions keeps what its steps returned, which is not supported"
_ELSEWHERE: Mapping[str, str] = {
    "LAMBDA": "a Lambda function writes to CloudWatch Logs, which is not supported",
    "STEP_FUNCTIONS": _NO_STREAMS,
}
"""Types of window tasks whose output Systems Manager does not have."""


class Logs:
    """Reads outputs through the readers of the four kinds."""

    def __init__(
        self,
        wire: Wire,
        *,
        windows: Windows,
        commands: Commands,
        automations: Automations,
        machines: StateMachines,
    ) -> None:
        self._wire = wire
        self._windows = windows
        self._commands = commands
        self._automations = automations
        self._machines = machines
        self._readers = {
            WINDOW.name: self._window,
            COMMAND.name: self._command,
            AUTOMATION.name: self._automation,
            STATE_MACHINE.name: self._state_machine,
        }

    def of(
        self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED, *, follow: bool = True
    ) -> Iterator[Output]:
        """See `Cloud.logs`. `follow`: go on to the runs that this one started."""
        return self._readers[ref.kind](ref, criteria, finished, follow)

    def _command(self, ref: Ref, criteria: InvocationFilter, finished: Finished, _follow: bool) -> Iterator[Output]:
        for invocation, row in self._commands.rows(ref, criteria):
            plugins = rows(row, "CommandPlugins")
            several = len(plugins) > 1
            for plugin in plugins or ({},):
                step = text(plugin.get("Name")) if several else None
                if (invocation.run, invocation.id, step) not in finished.outputs:
                    yield self._of_plugin(ref, invocation, plugin, step=step)

    def _of_plugin(self, ref: Ref, invocation: Invocation, plugin: JsonObject, *, step: str | None) -> Output:
        output = _for_step(Output.of(invocation, merged=False), plugin, step)
        if not (output.state.over or plugin.get("ResponseFinishDateTime") or plugin.get("Output")):
            return structs.replace(output, note=_ONLY_WHEN_ENDED if invocation.started_at else None)
        plugin_name = {"PluginName": step} if step is not None else {}
        params = {"CommandId": ref.id, "InstanceId": invocation.id, **plugin_name}
        try:
            return _streams(output, self._wire.call("GetCommandInvocation", params))
        except CloudError as error:
            if error.reason not in (Reason.NOT_FOUND, Reason.INVALID):
                raise
            return _joined(output, plugin)  # a step or a node that AWS does not know by that name

    def _automation(self, ref: Ref, criteria: InvocationFilter, finished: Finished, follow: bool) -> Iterator[Output]:
        for invocation, row in self._automations.rows(ref):
            output = _of_step(invocation, row) if invocation.target is None else Output.of(invocation, merged=False)
            if output.child and follow and output.stderr and _matches(criteria, output):
                yield structs.replace(output, stdout=None, child=None)  # why the step failed is not in what it started
            yield from self._started(ref, output, criteria, finished, follow=follow)

    def _window(self, ref: Ref, criteria: InvocationFilter, finished: Finished, follow: bool) -> Iterator[Output]:
        for invocation in self._windows.invocations(ref, InvocationFilter(task=criteria.task)):
            kind = (invocation.target_name or "").partition(" ")[0]
            output = structs.replace(Output.of(invocation, merged=False), note=_ELSEWHERE.get(kind))
            yield from self._started(ref, output, criteria, finished, follow=follow)

    def _state_machine(self, ref: Ref, criteria: InvocationFilter, _: Finished, _follow: bool) -> Iterator[Output]:
        for invocation in self._machines.invocations(ref, structs.replace(criteria, limit=0)):
            yield structs.replace(Output.of(invocation, merged=False), note=_NO_STREAMS)

    def _started(
        self, ref: Ref, output: Output, criteria: InvocationFilter, finished: Finished, *, follow: bool
    ) -> Iterator[Output]:
        """The outputs of the run that an invocation started, in place of its own; its own where there are none."""
        if output.child is None or not follow:
            if _matches(criteria, output):
                yield output
            return
        if criteria.targets and output.target and output.target not in criteria.targets:
            return
        if output.state.over and output.child in finished.runs:
            return
        child = output.child
        is_command = child.kind == COMMAND.name  # the steps of an automation name no target: the invocation above does
        inner = InvocationFilter(
            states=criteria.states, targets=criteria.targets if is_command or not output.target else frozenset()
        )
        try:
            for one in self.of(child, inner, finished, follow=False):
                yield _under(ref, output, one)
        except CloudError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            if not criteria.states or output.state in criteria.states:
                yield structs.replace(output, note=_NOT_KEPT)


def _under(parent: Ref, above: Output, one: Output) -> Output:
    """An output of a run that was started, with what only the invocation above it knows."""
    return structs.replace(
        one, parent=parent, task=above.task, target=one.target or above.target, step=one.step or above.step
    )


def _matches(criteria: InvocationFilter, output: Output) -> bool:
    right = not criteria.targets or output.target in criteria.targets
    return right and (not criteria.states or output.state in criteria.states)


def _for_step(output: Output, plugin: JsonObject, step: str | None) -> Output:
    """State and exit code of one step where there are several."""
    if step is None:
        return output
    code = number(plugin.get("ResponseCode"))
    status = word(plugin.get("Status"))
    ran = bool(plugin.get("ResponseStartDateTime"))
    return structs.replace(
        output,
        step=step,
        state=command_state(status, text(plugin.get("StatusDetails")), ran=ran),
        provider_status=status,
        exit_code=None if code == -1 else code,
    )


def _streams(output: Output, reply: JsonObject) -> Output:
    """Both streams out of GetCommandInvocation."""
    if word(reply.get("InstanceId")) != output.id:
        raise CloudError(Reason.UNPROVEN, "the reply is about another instance", action="GetCommandInvocation")
    out, err = text(reply.get("StandardOutputContent")) or "", text(reply.get("StandardErrorContent")) or ""
    group = record(reply.get("CloudWatchOutputConfig"))
    name = text(group.get("CloudWatchLogGroupName")) if group.get("CloudWatchOutputEnabled") else None
    return structs.replace(
        output,
        stdout=out,
        stderr=err,
        truncated=_is_cut(out, _MOST_STDOUT) or _is_cut(err, _MOST_STDERR),
        location=text(reply.get("StandardOutputUrl")),
        stderr_location=text(reply.get("StandardErrorUrl")),
        note=f"also in the CloudWatch log group {name}" if name else None,
    )


def _joined(output: Output, plugin: JsonObject) -> Output:
    """Both streams out of the short text in which the listing joins them."""
    both = text(plugin.get("Output")) or ""
    out, _, err = both.partition(_ERROR_FOLLOWS)
    return structs.replace(
        output,
        stdout=out,
        stderr=err,
        truncated=_is_cut(out, _MOST_BOTH) or _is_cut(both, _MOST_BOTH),
        location=text(plugin.get("StandardOutputUrl")),
        stderr_location=text(plugin.get("StandardErrorUrl")),
    )


def _is_cut(output: str, most: int) -> bool:
    return len(output) >= most or output.rstrip("\n").endswith(_CUT)


def _of_step(invocation: Invocation, row: JsonObject) -> Output:
    """A step returns values, not streams: they become stdout, and its failure becomes stderr."""
    out = _values(record(row.get("Outputs"))) or text(row.get("Response")) or ""
    return structs.replace(
        Output.of(invocation, merged=False),
        step=invocation.target_name,
        stdout=out if invocation.started_at else None,
        stderr=_failure(row) if invocation.started_at else None,
    )


def _values(outputs: Mapping[str, object]) -> str:
    """Text alone where it is the only value, else `name: text` for each."""
    values = {name: "\n".join(texts(value)) for name, value in outputs.items()}
    if list(values) == ["Output"]:
        return values["Output"]
    return "".join(f"{name}: {value}\n" for name, value in values.items())


def _failure(row: JsonObject) -> str:
    """The messages of a step that went wrong, each once."""
    details = record(record(row.get("FailureDetails")).get("Details"))
    candidates = [text(row.get("FailureMessage")), text(row.get("WarningMessage"))]
    detailed = (one for value in details.values() for one in texts(value))
    messages = [one for one in (*candidates, *detailed) if one]
    return "\n".join(one for index, one in enumerate(messages) if not any(one in before for before in messages[:index]))
