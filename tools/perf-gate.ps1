& hologram gate @args; exit $LASTEXITCODE
