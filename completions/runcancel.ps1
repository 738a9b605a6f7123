# PowerShell completion for runcancel
Register-ArgumentCompleter -Native -CommandName runcancel -ScriptBlock {
    param($word, $ast, $cursor)
    $env:_RUNCANCEL_COMPLETE = 'powershell'
    $env:_RUNCANCEL_LINE = $ast.ToString().PadRight($cursor).Substring(0, $cursor)
    try {
        runcancel 2>$null | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            if ($value -notmatch '^[\w.:/%+=-][\w.,:/@%+=-]*$') {
                $value = "'" + ($value -replace '[\x27\u2018-\u201b]', '$0$0') + "'"
            }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_RUNCANCEL_COMPLETE, Env:_RUNCANCEL_LINE
    }
}
