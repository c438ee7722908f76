import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import {
  hostCall,
  hostReply,
  MessageReader,
  message,
} from "../../hosts/simulator/board/host-calls.ts";
import type { Engine, HostCallHandler } from "../../hosts/simulator/engines/engine.ts";

/**
 * One of the programs in test/support/firmware as an engine takes it, behind a constant of that
 * name and value.
 */
export function bundledFirmware(file: string, [name, value]: readonly [string, object]): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL(`firmware/${file}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "neutral",
    target: "es2022",
    logLevel: "silent",
  });
  return `const ${name} = ${JSON.stringify(value)};\n${outputFiles[0]?.text ?? ""}`;
}

/**
 * What a firmware says on an engine, line by line; it has no partitions and only the console of the
 * host.
 */
export async function saidOn(
  open: (handle: HostCallHandler) => Engine,
  firmware: string,
): Promise<string[]> {
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
