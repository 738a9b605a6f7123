# PowerShell completion for runcancel
Register-ArgumentCompleter -Native -CommandName runcancel -ScriptBlock {
    param($word, $ast, $cursor)
    $env:_RUNCANCEL_COMPLETE = 'powershell'
    $env:_RUNCANCEL_LINE = $ast.ToString().PadRight($cursor).Substring(0, $cursor)
    try {
        runcancel 2>$null | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            if ($value -match '[\s\x27]') { $value = "'" + $value.Replace("'", "''") + "'" }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_RUNCANCEL_COMPLETE, Env:_RUNCANCEL_LINE
    }
}
