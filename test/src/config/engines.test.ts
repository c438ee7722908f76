import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeEngine } from "../../../hosts/simulator/engines/node-engine.ts";
import { XsEngine, xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { toHex } from "../../../src/image/hex.ts";
import { bundledFirmware, saidOn } from "../../support/both-engines.ts";
import { ConfigurationSigner } from "../../support/configuration-signer.ts";

const signer = new ConfigurationSigner(31);
const offered = {
  keyHex: toHex(signer.publicKey),
  envelopeHex: toHex(
    signer.seal({
      version: 5,
      schema: 1,
      values: { text: "größer".repeat(200) },
      flags: { half: { percent: 50, salt: "s" } },
    }),
  ),
};

const firmware = bundledFirmware("configures.ts", ["offered", offered]);

const expected = [
  /^\[\{"ok":true,"version":5\},\{"ok":true\}\]$/,
  /^\["trial",\{"kind":"trial","candidate":5,"previous":null,"boots":1\},\{"text":"größer/,
  /^\[(true|false)(,(true|false)){7}\]$/,
  /^\[\{"ok":true\},\{"ok":false,"reason":"version-not-newer"\}\]$/,
  /^\{"ok":true\}$/,
  /^\["ready",\["text"\]\]$/,
  /^\["migrated",\["text","moved"\]\]$/,
  /^\["restored",\["text"\]\]$/,
  /^\["80000000.1-1"\]$/,
  /update\.health\.failed.*"reason\\":\\"gr\?n/,
  /^\["80000000.1-1","80000000.2-1"\]$/,
  /80000000\.2-1/,
  /^\[\["configuration\.a\.1\.0",/,
];

test("configuration, migrations and events say the same on engine node", async () => {
  const lines = await saidOn((handle) => new NodeEngine(handle), firmware);
  assert.equal(lines.length, expected.length, lines.join("\n"));
  for (const [index, line] of lines.entries()) assert.match(line, expected[index] ?? /$^/);
});

const skip = xsEngineMissing() ?? false;
test("configuration, migrations and events say the same on engine xs", { skip }, async () => {
  const onNode = await saidOn((handle) => new NodeEngine(handle), firmware);
  assert.deepEqual(await saidOn((handle) => new XsEngine(handle), firmware), onNode);
});
