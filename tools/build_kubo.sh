#!/usr/bin/env bash
# Builds the real Kubo daemon (`ipfs`) with Go, once, and prints the path of the program.
#   tools/build_kubo.sh          build it unless it is there
#   tools/build_kubo.sh --path   only print where it is, or would be
#
# `go install github.com/ipfs/kubo/cmd/ipfs@VERSION` does not work: Kubo's go.mod replaces modules, which
# `go install` refuses for any module but the main one. In a copy of its folder Kubo *is* the main module.
# 0.42.0 is the newest that can be had: 0.43.1 replaces go-libp2p by a commit of a fork, which the Go
# module proxy does not give out (403).
# The program lies beside Go's build cache, so that what keeps that cache keeps it, too.
set -euo pipefail
version=v0.42.0

command -v go >/dev/null || { echo "Go is not installed, so Kubo cannot be built here" >&2; exit 3; }
folder="$(go env GOCACHE)/kubo-$version"
if [ "${1:-}" = --path ]; then
  echo "$folder/ipfs"
  exit
fi
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if [ ! -x "$folder/ipfs" ]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  module=$(cd "$work" && go mod download -json "github.com/ipfs/kubo@$version" | sed -n 's/.*"Dir": "\(.*\)",.*/\1/p')
  cp -r --no-preserve=mode "$module" "$work/kubo"
  (cd "$work/kubo" && go build -trimpath -ldflags=-s -o "$folder/ipfs.new" ./cmd/ipfs) >&2
  mv "$folder/ipfs.new" "$folder/ipfs"
fi
echo "$folder/ipfs"
