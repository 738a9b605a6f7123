"""The completion scripts of four shells: each hands over the line, and one function answers it."""

from collections.abc import Mapping
from pathlib import Path

from runcancel.errors import UsageError

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
        if (( ${#double} % 2 || ${#single} % 2 )) || [[ "$value" != *[^A-Za-z0-9_.,:/@%+=-]* ]]; then
            COMPREPLY+=("$value")
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
            if ($value -notmatch '^[\\w.:/%+=-][\\w.,:/@%+=-]*$') {
                $value = "'" + ($value -replace '[\\x27\\u2018-\\u201b]', '$0$0') + "'"
            }
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
