import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildFirmware } from "../../../hosts/release/build.ts";
import { signImage } from "../../../hosts/release/sign.ts";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { fromHex } from "../../../src/image/hex.ts";
import { plainImage } from "../../../src/image/writer.ts";
import { benchSigner, DeviceBench, hardware } from "../../support/device-bench.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

async function release(variant: "release" | "debug"): Promise<Uint8Array> {
  const version = { major: 1, minor: 1, revision: 0, build: 0 };
  const built = await buildFirmware({
    root,
    entry: "src/main.ts",
    version,
    hardware: [hardware],
    variant,
  });
  assert.ok(built.ok);
  const [artifact] = built.build.manifest.artifacts;
  const [payload] = built.build.payloads;
  assert.ok(artifact !== undefined && payload !== undefined);
  const signed = await signImage({
    payload,
    options: {
      ...plainImage,
      version,
      hardware,
      buildId: fromHex(artifact.buildId),
      securityCounter: 1,
    },
    signers: [benchSigner],
    slot: { slotBytes: 0x1c0000, sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 },
    form: "file",
  });
  assert.ok(signed.ok);
  return signed.signed.image;
}

for (const [engine, variant] of [
  ["node", "debug"],
  ["node", "release"],
  ["xs", "release"],
] as const) {
  const skip = engine === "xs" ? (xsEngineMissing() ?? false) : false;

  test(`a ${variant} build is taken, boots and confirms itself on engine ${engine}`, {
    skip,
  }, async () => {
    const bench = await DeviceBench.start({ engine });
    bench.offer("1", "1.1.0", await release(variant));
    await bench.powerOn();
    await bench.pass(5);
    assert.equal(bench.running, "1.1.0");
    assert.equal(bench.verdict, "closed success state=confirmed version=1.1.0");
    bench.world.close();
  });
}
