# bash completion for runcancel
_runcancel() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" word typed="" value
    local double="${line//[^\"]/}" single="${line//[^\']/}"
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
