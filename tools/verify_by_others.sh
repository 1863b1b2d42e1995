#!/usr/bin/env bash
# Verifies what a gate published by programs that are not ours, and sees each refuse one flipped byte.
# Usage: tools/verify_by_others.sh REPORTS EVIDENCE [VERIFIERS]
#   REPORTS    the reports folder of a run whose verdict is pass
#   EVIDENCE   the evidence folder of the state folder
#   VERIFIERS  the folder that tools/build_verifiers.sh printed; without it, Node and cryptography do it
set -euo pipefail
reports=$1 evidence=$2 verifiers=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
published=$reports/supply_chain
key=$published/public.pem
summary=https://slsa.dev/verification_summary/v1
provenance=https://slsa.dev/provenance/v1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

accepts() { "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said"; echo "refused: $*"; exit 1; }; }
refuses() { ! "$@" >"$scratch/said" 2>&1 || { echo "accepted, and must not be: $*"; exit 1; }; }
flip() { # BUNDLE COPY: one bit of the signed payload is another
  "$python" - "$1" "$2" <<'PYTHON'
import base64, json, sys
bundle = json.load(open(sys.argv[1]))
payload = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
payload[len(payload) // 2] ^= 1
bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
json.dump(bundle, open(sys.argv[2], "w"))
PYTHON
}
of_verdict() { # FIELD of the verdict's statement
  "$python" - "$published/verdict.sigstore.json" "$1" <<'PYTHON'
import base64, json, sys
statement = json.loads(base64.b64decode(json.load(open(sys.argv[1]))["dsseEnvelope"]["payload"]))
print(statement["predicate"]["resourceUri"] if sys.argv[2] == "uri" else statement["subject"][0]["digest"]["gitTree"])
PYTHON
}
envelope() { "$python" -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["dsseEnvelope"], sys.stdout)' "$1"; }

for name in verdict report; do flip "$published/$name.sigstore.json" "$scratch/$name.json"; done

if [ -n "$verifiers" ]; then
  run=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["run_id"])' "$reports/verdict.json")
  record=$(find "$evidence" -path "*/$run/verdict-*.json" | sort | tail -n 1)
  cosign() { "$verifiers/cosign" verify-blob-attestation --key "$key" --insecure-ignore-tlog=true "$@"; }
  accepts cosign --bundle "$published/verdict.sigstore.json" --type "$summary" "$record"
  refuses cosign --bundle "$scratch/verdict.json" --type "$summary" "$record"
  refuses cosign --bundle "$published/verdict.sigstore.json" --type "$summary" "$reports/index.html"
  accepts cosign --bundle "$published/verdict.sigstore.json" --type "$summary" \
    --digest "$(of_verdict tree)" --digestAlg gitTree
  accepts cosign --bundle "$published/report.sigstore.json" --type "$provenance" "$reports/index.html"
  refuses cosign --bundle "$scratch/report.json" --type "$provenance" "$reports/index.html"
  echo "cosign: verdict, tree and report verified; a flipped byte and another file refused"

  slsa() { # ENVELOPE
    "$verifiers/slsa-verifier" verify-vsa --attestation-path "$1" --public-key-path "$key" \
      --subject-digest "gitTree:$(of_verdict tree)" --verifier-id urn:hologram:gate --resource-uri "$(of_verdict uri)"
  }
  envelope "$published/verdict.sigstore.json" >"$scratch/verdict.dsse.json"
  envelope "$scratch/verdict.json" >"$scratch/flipped.dsse.json"
  accepts slsa "$scratch/verdict.dsse.json"
  refuses slsa "$scratch/flipped.dsse.json"
  echo "slsa-verifier: verdict verified; a flipped byte refused"
else
  echo "cosign and slsa-verifier are not to be had here: the envelopes alone are verified, by Node and by cryptography"
  raw() { # BUNDLE
    "$python" - "$1" "$key" <<'PYTHON'
import base64, json, sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key
envelope = json.load(open(sys.argv[1]))["dsseEnvelope"]
payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
signature = base64.b64decode(envelope["signatures"][0]["sig"])
load_pem_public_key(open(sys.argv[2], "rb").read()).verify(signature, signed)
PYTHON
  }
  for name in verdict report; do
    accepts node "$here/verify_dsse.mjs" "$published/$name.sigstore.json" "$key"
    refuses node "$here/verify_dsse.mjs" "$scratch/$name.json" "$key"
    accepts raw "$published/$name.sigstore.json"
    refuses raw "$scratch/$name.json"
  done
  echo "Node and cryptography: both envelopes verified; a flipped byte refused"
fi
