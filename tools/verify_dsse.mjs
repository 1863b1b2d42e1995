// Verifies the DSSE envelope of a bundle with node's own crypto, where cosign is not to be had.
// Usage: node tools/verify_dsse.mjs BUNDLE PUBLIC_KEY_PEM   (exit 0 it is signed by the key, 1 it is not)
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const [bundle, pem] = process.argv.slice(2);
const { payload, payloadType, signatures } = JSON.parse(readFileSync(bundle, "utf8")).dsseEnvelope;
const body = Buffer.from(payload, "base64");
const signed = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `), body]);
const key = createPublicKey(readFileSync(pem));
const holds = signatures.some(({ sig }) => verify(null, signed, key, Buffer.from(sig, "base64")));
console.log(holds ? "verified" : "NOT VERIFIED");
process.exit(holds ? 0 : 1);
