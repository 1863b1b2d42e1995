#!/usr/bin/env bash
# Builds the verifiers that are not ours, cosign and slsa-verifier, at pinned versions, once: the
# programs stay in Go's own folder. Prints that folder; exit code 1 where they cannot be built.
set -euo pipefail
cosign=v3.1.3
slsa_verifier=v2.7.1

command -v go >/dev/null || { echo "go is not installed" >&2; exit 1; }
folder="$(go env GOPATH)/hologram-verifiers/cosign-$cosign-slsa-verifier-$slsa_verifier"
build() { # PROGRAM PACKAGE
  test -x "$folder/$1" || GOBIN="$folder" nice -n 19 go install "$2"
}
{
  build cosign "github.com/sigstore/cosign/v3/cmd/cosign@$cosign"
  build slsa-verifier "github.com/slsa-framework/slsa-verifier/v2/cli/slsa-verifier@$slsa_verifier"
} >&2
echo "$folder"
