#!/usr/bin/env bash
# Builds the verifiers that are not ours, cosign and slsa-verifier, at pinned versions, once: the
# programs stay in Go's own folder. Prints that folder; exit code 1 where they cannot be built.
set -euo pipefail
cosign=v3.1.3
slsa_verifier=v2.7.1

command -v go >/dev/null || { echo "go is not installed" >&2; exit 1; }
folder="$(go env GOPATH)/hologram-verifiers/cosign-$cosign-slsa-verifier-$slsa_verifier"
build() { # PROGRAM MODULE VERSION PACKAGE
  test -x "$folder/$1" && return
  # From within the module: that needs its release only, where `go install` asks for a list of all.
  local source
  source=$(go mod download -json "$2@$3" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  (cd "$source" && nice -n 19 go build -o "$folder/$1.new" "$4" && mv "$folder/$1.new" "$folder/$1")
}
mkdir -p "$folder"
{
  build cosign github.com/sigstore/cosign/v3 "$cosign" ./cmd/cosign
  build slsa-verifier github.com/slsa-framework/slsa-verifier/v2 "$slsa_verifier" ./cli/slsa-verifier
} >&2
echo "$folder"
