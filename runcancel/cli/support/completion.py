"""Completion for four shells: each script hands over the line, one function answers it. No SDK, no network, no rich."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from runcancel.errors import UsageError

ASK = "_RUNCANCEL_COMPLETE"
"""The variable in which a shell script names its shell to request completions."""

LINE = "_RUNCANCEL_LINE"
"""The command line up to the cursor."""

_BASH = """\
# bash completion for runcancel
_runcancel() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}" word typed="" value
    local double="${line//[^\\"]/}" single="${line//[^\\']/}"
    word="${line##*[[:space:]]}"
    # bash breaks words at these characters and replaces only what follows the last of them
    if [[ "$COMP_WORDBREAKS" == *:* ]]; then typed="${word%"${word##*[:@=]}"}"; fi
    COMPREPLY=()
    for value in $(_RUNCANCEL_COMPLETE=bash _RUNCANCEL_LINE="$line" runcancel 2>/dev/null); do
        value="${value#"$typed"}"
        # inside an open quotation it stands as it is
        if (( ${#double} % 2 || ${#single} % 2 )) || [[ "$value" != *[[:space:]]* ]]; then COMPREPLY+=("$value")
        else COMPREPLY+=("$(printf '%q' "$value")"); fi
        if [[ "$value" == *[:/] ]]; then compopt -o nospace; fi
    done
}
complete -o default -F _runcancel runcancel
"""

_ZSH = """\
#compdef runcancel
# zsh completion for runcancel
_runcancel() {
    local -a values
    values=("${(@f)$(_RUNCANCEL_COMPLETE=zsh _RUNCANCEL_LINE="$LBUFFER" runcancel 2>/dev/null)}")
    if [[ -n "${values[1]}" ]]; then _describe runcancel values; else _files; fi
}
if [[ "${funcstack[1]}" == _runcancel ]]; then _runcancel "$@"; else compdef _runcancel runcancel; fi
"""

_FISH = """\
# fish completion for runcancel
function __runcancel
    set -l offers (env _RUNCANCEL_COMPLETE=fish _RUNCANCEL_LINE=(commandline -cp) runcancel 2>/dev/null)
    if set -q offers[1]
        printf '%s\\n' $offers
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c runcancel -f -a '(__runcancel)'
"""

_POWERSHELL = """\
# PowerShell completion for runcancel
Register-ArgumentCompleter -Native -CommandName runcancel -ScriptBlock {
    param($word, $ast, $cursor)
    $env:_RUNCANCEL_COMPLETE = 'powershell'
    $env:_RUNCANCEL_LINE = $ast.ToString().PadRight($cursor).Substring(0, $cursor)
    try {
        runcancel 2>$null | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            if ($value -match '[\\s\\x27]') { $value = "'" + $value.Replace("'", "''") + "'" }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_RUNCANCEL_COMPLETE, Env:_RUNCANCEL_LINE
    }
}
"""

SCRIPTS: Mapping[str, tuple[str, str]] = {
    "bash": ("runcancel.bash", _BASH),
    "zsh": ("_runcancel", _ZSH),
    "fish": ("runcancel.fish", _FISH),
    "powershell": ("runcancel.ps1", _POWERSHELL),
}
"""Shell -> the file its script is installed as, and the script."""

_FORMATS: Mapping[str, Callable[[str, str], str]] = {
    "bash": lambda value, help: value,
    "zsh": lambda value, help: value.replace("\\", "\\\\").replace(":", "\\:") + (f":{help}" if help else ""),
    "fish": lambda value, help: f"{value}\t{help}",
    "powershell": lambda value, help: f"{value}\t{help}",
}


def answer(shell: str, line: str, out: TextIO) -> None:
    """Write the completions of `line`, one per line, in the format of `shell`. Silent on any failure."""
    try:
        form = _FORMATS[shell]
        offers = candidates(*words(line))
        out.write("".join(f"{form(value, help)}\n" for value, help in offers))
    except Exception:  # noqa: BLE001 - a completion that fails must not print into the line being typed
        return


def words(line: str) -> tuple[list[str], str]:
    """The complete words after the program's name, and the word at the cursor."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    parsed: list[str] = []
    try:
        parsed.extend(lexer)
    except ValueError:  # an open quotation: what was read before it counts
        parsed.append(lexer.token)
    incomplete = "" if not line or line[-1:].isspace() else parsed.pop()
    return parsed[1:], incomplete


def candidates(args: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    """Values with their help that complete `incomplete` after `args`."""
    from typer._click.shell_completion import _resolve_context, _resolve_incomplete

    from runcancel.cli.app import app
    from runcancel.cli.verbs import ALIASES, VERBS

    before = [*args]
    before[:1] = [ALIASES.get(word, word) for word in before[:1]]
    context = _resolve_context(app(VERBS), {}, "runcancel", [*before])
    flag, equals, value = incomplete.partition("=")
    joined = bool(equals) and any(flag in param.opts for param in context.command.params)
    if joined:
        before, incomplete = [*before, flag], value
    parameter, incomplete = _resolve_incomplete(context, before, incomplete)
    items = parameter.shell_complete(context, incomplete)
    whole = f"{flag}=" if joined else ""  # a shell compares with the whole word that stands there
    return [(f"{whole}{item.value}", " ".join((item.help or "").split())) for item in items if item.type == "plain"]


def script(shell: str) -> str:
    """The completion script of a shell. Raises `UsageError` for one that is not known."""
    if shell not in SCRIPTS:
        raise UsageError(f"no completion for “{shell}”. Expected one of: {', '.join(SCRIPTS)}")
    return SCRIPTS[shell][1]


def write_all(folder: Path) -> None:
    """Write every script into a folder, as they are shipped in `completions/`."""
    folder.mkdir(exist_ok=True)
    for name, text in SCRIPTS.values():
        (folder / name).write_text(text, encoding="utf-8")


def answer_shell() -> int:
    """Reply to the shell that is named in the environment."""
    answer(os.environ[ASK], os.environ.get(LINE, ""), sys.stdout)
    return 0
