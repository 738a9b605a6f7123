"""One file per verb, and the table of them."""

VERBS = {
    "cancel": "Cancel runs and report the verified state of each target.",
    "status": "Show the state of runs, one row per run.",
    "list": "Find runs across contexts, providers and regions.",
    "invocations": "Show the targets of runs, one row per target.",
    "logs": "Show the output of each target: stdout and stderr.",
    "wait": "Wait until every run reaches a state.",
    "triggers": "Find what starts runs: windows, rules, schedules, invokers.",
    "disable": "Disable triggers, so that they start no more runs.",
    "enable": "Enable triggers, or restore what an operation disabled.",
    "history": "Show the journal: past operations and their results.",
    "report": "Print the incident report of operations.",
    "contexts": "List, change and group named connections.",
    "doctor": "Check credentials, clocks and permissions.",
    "permissions": "Print the minimal IAM, RAM or CAM policy.",
    "schema": "Print the JSON Schema of an output.",
    "sandbox": "Simulate three clouds, to try commands and to rehearse.",
    "help": "Show the help of a verb or a topic.",
}
"""Every verb with what it does; verb `x` lives in `runcancel.cli.verbs.x` and is loaded when it is called."""

ALIASES = {"ls": "list", "ps": "list", "kill": "cancel", "stop": "cancel"}
"""Words that people type for a verb; help does not list them."""

OTHER_WORDS = {
    **ALIASES,
    "version": "--version",
    "rename": "contexts rename",
    "groups": "contexts groups",
    "find": "list",
    "abort": "cancel",
    "terminate": "cancel",
    "show": "status",
    "describe": "status",
    "get": "status",
    "targets": "invocations",
    "output": "logs",
    "tail": "logs",
    "watch": "status --watch",
    "journal": "history",
    "incident": "report",
    "summary": "report",
    "config": "contexts",
    "schedules": "triggers",
    "windows": "triggers",
    "resume": "cancel --resume last",
}
"""Words of other tools, each with what to type here instead."""

OTHER_ACTIONS = {
    "ls": "list",
    "get": "show",
    "describe": "show",
    "create": "add",
    "new": "add",
    "delete": "remove",
    "rm": "remove",
    "unset": "remove",
    "select": "use",
    "switch": "use",
    "set": "use",
    "mv": "rename",
}
"""Words of other tools for what can be done with contexts and groups of them."""
