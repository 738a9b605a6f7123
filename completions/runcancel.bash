# bash completion for runcancel
_runcancel() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" word typed="" value
    word="${line##*[[:space:]]}"
    # bash breaks words at these characters and replaces only what follows the last of them
    if [[ "$COMP_WORDBREAKS" == *:* ]]; then typed="${word%"${word##*[:@=]}"}"; fi
    COMPREPLY=()
    for value in $(_RUNCANCEL_COMPLETE=bash _RUNCANCEL_LINE="$line" runcancel 2>/dev/null); do
        value="${value#"$typed"}"
        # inside quotes it stands as it is
        if [[ "$word" == [\"\']* || "$value" != *[[:space:]]* ]]; then COMPREPLY+=("$value")
        else COMPREPLY+=("$(printf '%q' "$value")"); fi
        if [[ "$value" == *[:/] ]]; then compopt -o nospace; fi
    done
}
complete -o default -F _runcancel runcancel
