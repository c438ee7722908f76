import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
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

function bundle(): string {
  const entry = fileURLToPath(new URL("../../support/firmware/configures.ts", import.meta.url));
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "neutral",
    target: "es2022",
    logLevel: "silent",
  });
  return `const offered = ${JSON.stringify(offered)};\n${outputFiles[0]?.text ?? ""}`;
}

/** What the firmware says on an engine, line by line. */
async function said(open: (handle: HostCallHandler) => Engine): Promise<string[]> {
  const lines: string[] = [];
  const engine = open((request) => {
    if (request[0] === hostCall.log)
      lines.push(new TextDecoder().decode(new MessageReader(request).rest()).trimEnd());
    return message(hostReply.ok, []);
  });
  const facts = { partitions: [], roles: {}, resetReason: "power-on", seed: 7 };
  const result = await engine.start(JSON.stringify(facts), bundle());
  engine.close();
  assert.deepEqual(result, { kind: "done" });
  return lines;
}

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
  const lines = await said((handle) => new NodeEngine(handle));
  assert.equal(lines.length, expected.length, lines.join("\n"));
  for (const [index, line] of lines.entries()) assert.match(line, expected[index] ?? /$^/);
});

const skip = xsEngineMissing() ?? false;
test("configuration, migrations and events say the same on engine xs", { skip }, async () => {
  const onNode = await said((handle) => new NodeEngine(handle));
  assert.deepEqual(await said((handle) => new XsEngine(handle)), onNode);
});
