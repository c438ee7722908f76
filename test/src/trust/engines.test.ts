import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { nodeCrypto } from "../../../hosts/release/node-crypto.ts";
import {
  hostCall,
  hostReply,
  MessageReader,
  message,
} from "../../../hosts/simulator/board/host-calls.ts";
import type { Engine, HostCallHandler } from "../../../hosts/simulator/engines/engine.ts";
import { NodeEngine } from "../../../hosts/simulator/engines/node-engine.ts";
import { XsEngine, xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { toHex } from "../../../src/image/hex.ts";
import { canonicalJson } from "../../../src/trust/canonical-json.ts";
import {
  encodeDirectorDocument,
  encodeDirectorSigned,
} from "../../../src/trust/director-document.ts";
import { TrustBench, testRelease } from "../../support/trust-bench.ts";
import { signatureOf } from "../../support/tuf-repository.ts";

/** What every engine's `next` of 0.5 makes. */
const nonce = "80".repeat(16);

function given(): object {
  const bench = new TrustBench();
  bench.repository.root["x-note"] = 'größer "\\ \n 😀';
  bench.repository.publishNext("root");
  bench.assigned = testRelease(1);
  const document = bench.document(nonce);
  const payload = canonicalJson(encodeDirectorSigned(document));
  const key = bench.directorKey;
  const files = new Map(bench.repository.files);
  const signatures = [{ keyid: key.id, sig: signatureOf(payload, key) }];
  files.set(`director?nonce=${nonce}`, encodeDirectorDocument(document, signatures));
  const digests = [...files.values()].map((bytes) => {
    const { signed } = JSON.parse(new TextDecoder().decode(bytes)) as { signed: object };
    const hasher = nodeCrypto.sha256();
    hasher.update(canonicalJson(signed as never));
    return toHex(hasher.digest());
  });
  const { fileHash, fileBytes, imageHash } = testRelease(1);
  return {
    files: Object.fromEntries([...files].map(([name, bytes]) => [name, toHex(bytes)])),
    digests,
    offers: [
      { fileHash, fileBytes, imageHash },
      { fileHash, fileBytes: 1, imageHash },
    ],
  };
}

function bundle(): string {
  const entry = fileURLToPath(new URL("../../support/firmware/checks-trust.ts", import.meta.url));
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "neutral",
    target: "es2022",
    logLevel: "silent",
  });
  return `const given = ${JSON.stringify(given())};\n${outputFiles[0]?.text ?? ""}`;
}

const firmware = bundle();

/** What the firmware says on an engine, line by line. */
async function said(open: (handle: HostCallHandler) => Engine): Promise<string[]> {
  const lines: string[] = [];
  const engine = open((request) => {
    if (request[0] === hostCall.log)
      lines.push(new TextDecoder().decode(new MessageReader(request).rest()).trimEnd());
    return message(hostReply.ok, []);
  });
  const facts = { partitions: [], roles: {}, resetReason: "power-on", seed: 7 };
  const result = await engine.start(JSON.stringify(facts), firmware);
  engine.close();
  assert.deepEqual(result, { kind: "done" });
  return lines;
}

test("the gate approves and refuses on engine node", async () => {
  const lines = await said((handle) => new NodeEngine(handle));
  assert.equal(lines.length, 3, lines.join("\n"));
  assert.match(lines[0] ?? "", /^\{"ok":true,"value":\{"release":\{.*"targetName":"esp32c3-b/);
  assert.match(lines[1] ?? "", /^\{"ok":false,"reason":"offer-mismatch"/);
  assert.match(lines[2] ?? "", /tuf\.root.*tuf\.releases/);
});

const skip = xsEngineMissing() ?? false;
test("the gate says the same on engine xs", { skip }, async () => {
  const onNode = await said((handle) => new NodeEngine(handle));
  assert.deepEqual(await said((handle) => new XsEngine(handle)), onNode);
});
