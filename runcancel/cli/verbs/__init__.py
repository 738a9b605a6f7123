"""One file per verb, and the table of them."""

VERBS = {
    "cancel": "Cancel runs and tell for every target what is true now.",
    "status": "Show where runs stand, one row per run.",
    "list": "Find runs across contexts, providers and regions.",
    "invocations": "Show the targets of runs, one row per target.",
    "logs": "Show what targets wrote: stdout and stderr.",
    "wait": "Wait until every run is where it should be.",
    "history": "Show what was asked from here and what was seen.",
    "contexts": "List, show, add, remove and use named ways to connect.",
    "doctor": "Show what works from here: credentials, clocks, permissions.",
    "permissions": "Print the minimal IAM, RAM or CAM policy.",
    "schema": "Print the JSON Schema of an output.",
    "sandbox": "Three simulated clouds, to try and to rehearse.",
    "help": "Show the help of a verb or a topic.",
}
"""Every verb with what it does; verb `x` lives in `runcancel.cli.verbs.x` and is loaded when it is called."""
