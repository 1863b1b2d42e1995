& hologram report --open @args; exit $LASTEXITCODE
