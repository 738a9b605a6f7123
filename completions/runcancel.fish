# fish completion for runcancel
function __runcancel
    set -l offers (env _RUNCANCEL_COMPLETE=fish _RUNCANCEL_LINE=(commandline -cp) runcancel 2>/dev/null)
    if set -q offers[1]
        printf '%s\n' $offers
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c runcancel -f -a '(__runcancel)'
