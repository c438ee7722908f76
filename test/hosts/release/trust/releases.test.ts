import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TargetsDocument } from "../../../../hosts/release/trust/document.ts";
import { addRelease, removeRelease } from "../../../../hosts/release/trust/releases.ts";
import { hashedName } from "../../../../hosts/release/trust/repository.ts";
import { deviceFit, isTargetFile, verifyTrust } from "../../../../hosts/release/trust/verify.ts";
import { blockBytesDefault } from "../../../../src/image/block-hashes.ts";
import { readImageInfo } from "../../../../src/image/info.ts";
import { bytesSource } from "../../../../src/image/source.ts";
import { parseVersion } from "../../../../src/image/version.ts";
import { plainImage, writeImage } from "../../../../src/image/writer.ts";
import { nobleCrypto } from "../../../../src/ports/noble-crypto.ts";
import type { JsonObject } from "../../../../src/trust/json.ts";
import { deviceLimits } from "../../../../src/trust/limits.ts";
import { parseReleaseCustom } from "../../../../src/trust/release-target.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import {
  signAll,
  signedImage,
  signedRepository,
  signOnlineNow,
  testImageSigner,
  trustSet,
} from "../../../support/trust-repository.ts";

const now = Date.UTC(2026, 10, 21, 12);
const version = (text: string) => {
  const parsed = parseVersion(text);
  assert.ok(parsed);
  return parsed;
};

test("an image becomes a target of its hardware's role, with what the device decides by", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0+7", hardware: "esp32c3-b" },
  ]);
  const { targets } = (repository.current("esp32c3-b") as TargetsDocument).signed;
  assert.deepEqual(Object.keys(targets), ["esp32c3-b/1.0.0_7.img"]);
  const target = targets["esp32c3-b/1.0.0_7.img"];
  const image = await signedImage("1.0.0+7", "esp32c3-b");
  const info = readImageInfo(bytesSource(image));
  assert.ok(target && info.ok && isTargetFile(image, target));
  const read = parseReleaseCustom(target.custom as JsonObject);
  assert.ok(read.ok);
  assert.equal(read.value.imageHash, info.info.imageHash);
  assert.deepEqual(
    [read.value.hardware, read.value.securityCounter, read.value.version.build],
    [["esp32c3-b"], 1, 7],
  );
  const { blockHashes } = read.value;
  assert.ok(blockHashes);
  assert.equal(blockHashes.name, "evidence/1.0.0_7/esp32c3-b.blocks");
  const blocks = repository.target(blockHashes.name, blockHashes.sha256);
  assert.equal(blocks?.length, blockHashes.lengthBytes);
  const evidence = (repository.current("evidence") as TargetsDocument).signed.targets;
  assert.deepEqual(evidence[blockHashes.name]?.hashes.sha256, blockHashes.sha256);
  assert.ok(evidence["evidence/1.0.0_7/notes.md"]);
});

test("an image for further hardware is a target of each of their roles", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now);
  const written = await writeImage(
    new Uint8Array(64),
    {
      ...plainImage,
      version: version("2.0.0"),
      hardware: "esp32c3-b",
      securityCounter: 3,
      blockBytes: blockBytesDefault,
      release: {
        hardware: ["esp32c3-b", "esp32c3-c"],
        breaking: true,
        downgradeAllowed: false,
        bootloaderVersionMin: null,
        configurationSchemas: { min: 1, max: 2 },
        steppingStone: version("1.5.0"),
        windowOverride: false,
      },
    },
    nobleCrypto,
    [testImageSigner],
  );
  assert.ok(written.ok);
  const energy = { trialSecondsPerBoot: 30, batteryPercentMin: 40 };
  const added = addRelease(repository, { images: [written.image], evidence: [], energy, now });
  assert.ok(added.ok);
  assert.deepEqual(added.drafts, ["targets", "esp32c3-b", "esp32c3-c", "evidence"]);
  const draft = repository.draft("esp32c3-c") as TargetsDocument;
  const read = parseReleaseCustom(
    draft.signed.targets["esp32c3-c/2.0.0.img"]?.custom as JsonObject,
  );
  assert.ok(read.ok);
  const { breaking, configurationSchemas, steppingStone, hardware } = read.value;
  assert.deepEqual(hardware, ["esp32c3-b", "esp32c3-c"]);
  assert.deepEqual(
    [breaking, configurationSchemas, steppingStone?.minor],
    [true, { min: 1, max: 2 }, 5],
  );
  assert.deepEqual(read.value.energy, energy);
});

test("refuses what is no signed image, several versions, and other bytes under a signed name", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const add = (images: readonly Uint8Array[], names: readonly string[] = []) => {
    const evidence = names.map((name) => ({ name, bytes: new Uint8Array(1) }));
    const result = addRelease(repository, { images, evidence, energy: null, now });
    return result.ok ? "done" : result.reason;
  };
  const plain = { ...plainImage, version: version("1.1.0"), securityCounter: 1 };
  const unsigned = await writeImage(
    new Uint8Array(8),
    { ...plain, hardware: "esp32c3-b" },
    nobleCrypto,
    [],
  );
  const nameless = await writeImage(new Uint8Array(8), plain, nobleCrypto, [testImageSigner]);
  assert.ok(unsigned.ok && nameless.ok);
  const good = await signedImage("1.1.0", "esp32c3-b");
  assert.equal(add([new Uint8Array(100)]), "not-an-image");
  assert.equal(add([good.subarray(0, 5000)]), "not-an-image");
  assert.equal(add([unsigned.image]), "unsigned");
  assert.equal(add([nameless.image]), "no-hardware");
  assert.equal(add([good, await signedImage("1.2.0", "esp32c6-a")]), "several-versions");
  assert.equal(add([await signedImage("1.0.0", "esp32c3-b", 2)]), "changed");
  assert.equal(add([good], ["../notes.md"]), "name-invalid");
  assert.deepEqual(repository.drafts, []);
});

test("a release that is taken out is installable no more, its evidence stays", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
    { version: "1.1.0", hardware: "esp32c3-b" },
  ]);
  const removed = removeRelease(repository, { version: version("1.0.0"), hardware: null, now });
  assert.ok(removed.ok);
  await signAll(repository);
  await signOnlineNow(repository, now);
  const names = (role: string) =>
    Object.keys((repository.current(role) as TargetsDocument).signed.targets);
  assert.deepEqual(names("esp32c3-b"), ["esp32c3-b/1.1.0.img"]);
  assert.ok(names("evidence").includes("evidence/1.0.0/notes.md"));
  assert.deepEqual(verifyTrust(trustSet(repository), now).problems, []);
  const again = removeRelease(repository, { version: version("9.0.0"), hardware: null, now });
  assert.equal(again.ok, false);
});

test("more releases than a device takes are told, with the way out", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const document = repository.current("esp32c3-b") as TargetsDocument;
  const [target] = Object.values(document.signed.targets);
  assert.ok(target);
  const targets = Object.fromEntries(
    Array.from({ length: deviceLimits.targetsMax + 1 }, (_, n) => [
      `esp32c3-b/1.0.${n}.img`,
      target,
    ]),
  );
  const told: string[] = [];
  deviceFit({ ...document, signed: { ...document.signed, targets } }, (problem) =>
    told.push(problem),
  );
  assert.match(told[0] ?? "", /it lists 33 releases, a device takes 32: .*trust remove-release/);
  assert.match(told[1] ?? "", /bytes, a device takes 8192/);
});

test("a metadata file that was changed by hand is refused when the folder is opened or verified", async (context) => {
  const folder = temporaryFolder(context);
  const repository = await signedRepository(folder, now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const { openTrust } = await import("../../../support/trust-repository.ts");
  const path = join(folder, "metadata", "1.esp32c3-b.json");
  const text = JSON.stringify({
    signatures: repository.current("esp32c3-b")?.signatures,
    signed: { ...repository.current("esp32c3-b")?.signed, targets: {} },
  });
  writeFileSync(path, text);
  const problems = verifyTrust(trustSet(openTrust(folder)), now).problems;
  assert.deepEqual(problems, [
    { role: "esp32c3-b", problem: "it lacks signatures of the keys that targets name" },
  ]);
  writeFileSync(path, "{}");
  assert.throws(() => openTrust(folder), /is no metadata of ours/);
});

test("hashed names keep the folder", () => {
  assert.equal(hashedName("esp32c3-b/1.0.0.img", "ab"), "esp32c3-b/ab.1.0.0.img");
  assert.equal(hashedName("notes.md", "ab"), "ab.notes.md");
});
