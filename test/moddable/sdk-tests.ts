import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { writeFlashFile } from "../../hosts/flash/flash-file.ts";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import { exitCodes } from "../../hosts/moddable/process-exit.ts";
import type { ModdableSdk } from "../../hosts/moddable/sdk.ts";
import { nodeCrypto } from "../../hosts/release/node-crypto.ts";
import { encodeEnrolment } from "../../hosts/simulator/enrolment.ts";
import { mountBoardStorage } from "../../hosts/simulator/storage/board-storage.ts";
import { toHex } from "../../src/image/hex.ts";
import { plainImage, writeImage } from "../../src/image/writer.ts";
import { p256DerVectors } from "../src/ports/p256-der-vectors.ts";
import { p256Good, p256Vectors } from "../src/ports/p256-vectors.ts";
import { testSigner } from "../support/image-signer.ts";
import { sdkTestApplication } from "./applications.ts";
import type { Checks } from "./checks.ts";

/** Folders of the SDK's tests/modules/io, and what of them cannot hold here. */
const folders = {
  update: [],
  // readwrite writes single bytes; this flash, as a board's behind MCUboot, takes blocks of four.
  flash: ["readwrite", "invalid-receiver"],
  // The other formats of key-value storage are none that the firmware uses.
  storage: ["formats", "open", "invalid-receiver"],
} as const;
// invalid-receiver needs natives of the SDK's own test program.

const hashed = [
  { name: "nothing", parts: [] },
  { name: "one part", parts: [[1, 2, 3]] },
  { name: "parts", parts: [[1], [], [2, 3, 4, 5]] },
  { name: "parts around a block", parts: [Array(63).fill(7), Array(66).fill(9)] },
  ...[55, 56, 63, 64, 65, 119, 120, 4096].map((length) => ({
    name: `${length} bytes`,
    parts: [Array(length).fill(length & 255)],
  })),
] satisfies readonly { name: string; parts: readonly (readonly number[])[] }[];

/**
 * The SDK's own tests of `embedded:update` against our class, those of flash and storage against
 * the simulator's, and the vectors of every crypto provider on the SDK's native one. The image in
 * the partition `running` is signed, so that complete() is the real one.
 */
export async function checkSdkTests(
  checks: Checks,
  sdk: ModdableSdk,
  runner: string,
  directory: string,
): Promise<void> {
  const modules = Object.entries(folders).flatMap(([folder, excluded]) =>
    testNames(sdk, folder, excluded).map((name) => `t/${folder}/${name}`),
  );
  const lines: string[] = [];
  await checks.check("builds and runs the SDK's own tests", async () => {
    const manifest = sdkTestApplication(sdk, Object.keys(folders), {
      modules,
      signatures: p256Vectors.map(({ name, publicKey, digest, signature, valid }) => ({
        name,
        publicKey: toHex(publicKey),
        digest: toHex(digest),
        signature: toHex(signature),
        valid,
      })),
      der: {
        publicKey: toHex(p256Good.publicKey),
        digest: toHex(p256Good.digest),
        signatures: p256DerVectors.map(({ name, der, valid }) => ({
          name,
          signature: toHex(der),
          valid,
        })),
      },
      digests: hashed.map(({ name, parts }) => ({
        name,
        parts: parts.map((part) => toHex(Uint8Array.from(part))),
        digest: createHash("sha256").update(Uint8Array.from(parts.flat())).digest("hex"),
      })),
    });
    const library = await sdk.build({ manifest, variant: "release" });
    const flash = await testFlash(directory);
    const ran = spawnSync(runner, [library], {
      env: { ...process.env, ...flash },
      encoding: "utf8",
      timeout: 120_000,
    });
    lines.push(...ran.stdout.split("\n"));
    assert.equal(ran.status, exitCodes.restart, `it ended with ${ran.status}:\n${ran.stdout}`);
  });
  const expected = [
    ...modules,
    ...p256Vectors.map(({ name }) => `signature: ${name}`),
    ...p256DerVectors.map(({ name }) => `DER: ${name}`),
    ...hashed.map(({ name }) => `digest: ${name}`),
  ];
  for (const name of expected)
    await checks.check(`SDK: ${name}`, () => {
      const bad = lines.find((line) => line.startsWith(`test not ok ${name}`));
      assert.ok(lines.includes(`test ok ${name}`), bad ?? "it did not run");
    });
}

function testNames(sdk: ModdableSdk, folder: string, excluded: readonly string[]): string[] {
  return readdirSync(join(sdk.folder, "tests", "modules", "io", folder))
    .filter((file) => file.endsWith(".js") && !/fixture/i.test(file))
    .map((file) => file.replace(/\.js$/, ""))
    .filter((name) => !excluded.includes(name))
    .toSorted();
}

const sectorBytes = 4096;
const runningBytes = 96 * sectorBytes;
const nextBytes = 128 * sectorBytes;

/**
 * A chip with the partitions that the tests name, and the environment that shows it to the runner.
 */
async function testFlash(directory: string): Promise<Record<string, string>> {
  const extents = [
    ["running", runningBytes],
    ["nextota", nextBytes],
    ["xs_test", 16 * sectorBytes],
    ["storage", 48 * sectorBytes],
  ] as const;
  let offset = 0;
  const placed = extents.map(([label, size]) => {
    const at = offset;
    offset += size;
    return { label, offset: at, size };
  });
  const chip = new NorFlash({ sizeBytes: offset, writeBlockBytes: 4 });
  const signer = testSigner(31);
  chip.poke(0, await signedImage(signer));
  const storage = placed[3]!;
  mountBoardStorage(chip.area(storage.offset, storage.size)).write(
    "sluice/config",
    encodeEnrolment({
      serverUrl: "http://127.0.0.1:1",
      tenant: "DEFAULT",
      deviceId: "sdk-tests",
      token: "token-of-no-use",
      hardware: "esp32c3-a",
      imageKeys: [signer.publicKey],
    }),
  );
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "sdk-tests.bin");
  writeFlashFile(path, chip);
  return {
    SLUICE_FLASH: path,
    SLUICE_PARTITIONS: placed.map((one) => `${one.label}:${one.offset}:${one.size}`).join(","),
  };
}

/** Almost as large as the partition that holds it. */
async function signedImage(signer: ReturnType<typeof testSigner>): Promise<Uint8Array> {
  const version = { major: 2, minor: 0, revision: 0, build: 0 };
  const payload = new Uint8Array(runningBytes - 1000).map((_, index) => index % 251);
  const options = { ...plainImage, version, securityCounter: 1 };
  const written = await writeImage(payload, options, nodeCrypto, [signer]);
  if (!written.ok) throw new Error(written.reason);
  return written.image;
}
