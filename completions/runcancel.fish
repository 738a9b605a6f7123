# fish completion for runcancel
function __runcancel
    env _RUNCANCEL_COMPLETE=fish _RUNCANCEL_LINE=(commandline -cp) runcancel 2>/dev/null
end
complete -c runcancel -a '(__runcancel)'
