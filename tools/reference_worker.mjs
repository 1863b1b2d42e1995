// The worker of the reference target in JavaScript: `verify` and `encode` of the Atlas state.
//
// `node tools/reference_worker.mjs` speaks the worker protocol of docs/targets.md and gives the
// same answers as `python -m hologram_dagster.target.reference_worker`. Node 20; no packages.
// Only the call itself is timed; building payloads and digesting answers is not.

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

const NAME = "hologram-reference-js";
const VERSION = "1.0.0";

// The layout: blocks of 48 pages (rows) by 256 cycles (columns), whose last row and last column
// make every row and column sum to 0 modulo 256. The payload, behind its length (8 bytes,
// big-endian), fills the rest row by row, and zeros fill what is left.
const PAGES = 48;
const CYCLES = 256;
const BLOCK_BYTES = (PAGES - 1) * (CYCLES - 1);
const HEADER_BYTES = 8;

const blockCount = (length) => Math.ceil((HEADER_BYTES + length) / BLOCK_BYTES);

function encode(payload) {
  const count = blockCount(payload.length);
  const stream = new Uint8Array(count * BLOCK_BYTES);
  new DataView(stream.buffer).setBigUint64(0, BigInt(payload.length));
  stream.set(payload, HEADER_BYTES);
  const state = new Uint8Array(count * PAGES * CYCLES);
  const columns = new Uint8Array(CYCLES);
  for (let block = 0, from = 0; block < count; block++) {
    columns.fill(0);
    let at = block * PAGES * CYCLES;
    for (let page = 0; page < PAGES - 1; page++, from += CYCLES - 1, at += CYCLES) {
      let sum = 0;
      for (let cycle = 0; cycle < CYCLES - 1; cycle++) {
        const byte = stream[from + cycle];
        state[at + cycle] = byte;
        columns[cycle] += byte;
        sum += byte;
      }
      // Storing in an array of bytes takes the value modulo 256.
      state[at + CYCLES - 1] = -sum;
      columns[CYCLES - 1] -= sum;
    }
    for (let cycle = 0; cycle < CYCLES; cycle++) state[at + cycle] = -columns[cycle];
  }
  return state;
}

function verify(state) {
  const blockSize = PAGES * CYCLES;
  if (state.length === 0 || state.length % blockSize !== 0) return false;
  const count = state.length / blockSize;
  const columns = new Uint8Array(CYCLES);
  for (let block = 0, at = 0; block < count; block++) {
    columns.fill(0);
    for (let page = 0; page < PAGES; page++, at += CYCLES) {
      let sum = 0;
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        const byte = state[at + cycle];
        columns[cycle] += byte;
        sum += byte;
      }
      if (sum % 256 !== 0) return false;
    }
    if (columns.some((sum) => sum !== 0)) return false;
  }
  const header = new DataView(state.buffer, state.byteOffset, HEADER_BYTES);
  const length = Number(header.getBigUint64(0));
  if (blockCount(length) !== count) return false;
  const last = (count - 1) * blockSize;
  for (let place = HEADER_BYTES + length - (count - 1) * BLOCK_BYTES; place < BLOCK_BYTES; place++) {
    const page = Math.floor(place / (CYCLES - 1));
    if (state[last + page * CYCLES + (place % (CYCLES - 1))] !== 0) return false;
  }
  return true;
}

const sha256 = (data) => createHash("sha256").update(data).digest();
const payloadOf = (size) => Uint8Array.from({ length: size }, (_, i) => i % 256);
const cpuMicroseconds = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

const OPERATIONS = {
  verify: {
    call: verify,
    argument: (size) => encode(payloadOf(size)),
    digest: (valid) => sha256(valid ? "true" : "false"),
  },
  encode: { call: encode, argument: payloadOf, digest: sha256 },
};

function run({ call, argument, digest }, n) {
  const ns = [];
  const cpuNs = [];
  const digests = new Map();
  for (let i = 0; i < n; i++) {
    const cpuStart = cpuMicroseconds();
    const start = process.hrtime.bigint();
    const answer = call(argument);
    const end = process.hrtime.bigint();
    cpuNs.push((cpuMicroseconds() - cpuStart) * 1000);
    ns.push(Number(end - start));
    const seen = digest(answer);
    digests.set(seen.toString("hex"), seen);
  }
  // Where answers differ, so does the digest from that of any single answer.
  const all = [...digests.values()];
  const digestOfAll = all.length === 1 ? all[0] : sha256(Buffer.concat(all));
  return { ns, cpu_ns: cpuNs, digest: digestOfAll.toString("hex") };
}

function check(hex) {
  const state = Buffer.from(hex, "hex");
  if (state.length * 2 !== hex.length) throw new Error("the state is not hex");
  if (state.length % CYCLES !== 0) throw new Error(`the state has no rows of ${CYCLES} bytes`);
  return { valid: verify(state) };
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
let prepared = null;

function answer(request) {
  switch (request?.call) {
    case "hello":
      return { name: NAME, version: VERSION, operations: Object.keys(OPERATIONS) };
    case "prepare": {
      if (typeof request.operation !== "string" || !isCount(request.bytes)) break;
      if (!Object.hasOwn(OPERATIONS, request.operation)) throw new Error(`no operation '${request.operation}'`);
      const { call, argument, digest } = OPERATIONS[request.operation];
      prepared = { call, argument: argument(request.bytes), digest };
      return {};
    }
    case "run":
      if (!isCount(request.n) || request.n === 0) break;
      if (prepared === null) throw new Error("nothing is prepared");
      return run(prepared, request.n);
    case "check":
      if (request.operation !== "verify" || typeof request.state !== "string") break;
      return check(request.state);
    case "bye":
      return {};
  }
  throw new Error("malformed request");
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  let last = false;
  try {
    const request = JSON.parse(line);
    reply = { ok: true, ...answer(request) };
    last = request.call === "bye";
  } catch (error) {
    reply = { ok: false, error: error.message };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
  if (last) break;
}
// An open pipe would keep the process alive after its goodbye.
process.stdin.destroy();
