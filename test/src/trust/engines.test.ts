import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCrypto } from "../../../hosts/release/node-crypto.ts";
import { NodeEngine } from "../../../hosts/simulator/engines/node-engine.ts";
import { XsEngine, xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { toHex } from "../../../src/image/hex.ts";
import { canonicalJson } from "../../../src/trust/canonical-json.ts";
import {
  encodeDirectorDocument,
  encodeDirectorSigned,
} from "../../../src/trust/director-document.ts";
import { bundledFirmware, saidOn } from "../../support/both-engines.ts";
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

const firmware = bundledFirmware("checks-trust.ts", ["given", given()]);

test("the gate approves and refuses on engine node", async () => {
  const lines = await saidOn((handle) => new NodeEngine(handle), firmware);
  assert.equal(lines.length, 3, lines.join("\n"));
  assert.match(lines[0] ?? "", /^\{"ok":true,"value":\{"release":\{.*"targetName":"esp32c3-b/);
  assert.match(lines[1] ?? "", /^\{"ok":false,"reason":"offer-mismatch"/);
  assert.match(lines[2] ?? "", /tuf\.root.*tuf\.releases/);
});

const skip = xsEngineMissing() ?? false;
test("the gate says the same on engine xs", { skip }, async () => {
  const onNode = await saidOn((handle) => new NodeEngine(handle), firmware);
  assert.deepEqual(await saidOn((handle) => new XsEngine(handle), firmware), onNode);
});
