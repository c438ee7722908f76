import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nodeCrypto, nodeVerifyEd25519 } from "../../../hosts/release/node-crypto.ts";
import { parseImageHeader } from "../../../src/image/header.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { type ImageVerdict, verifyImage } from "../../../src/image/verify.ts";
import { formatVersion, parseVersion } from "../../../src/image/version.ts";
import {
  loadMcubootVectors,
  type McubootVectors,
  readVectorImage,
  readVectorKey,
  VectorFlash,
  type VectorScenario,
} from "../../support/mcuboot-vectors.ts";
import { skipWithoutVectors } from "../../support/vectors.ts";

const withoutHeader: Readonly<Record<string, string>> = {
  "bad-header-magic": "header-magic",
  "erased-header-magic": "header-erased",
  "overflow-img-size": "image-too-large",
  "huge-img-size": "image-too-large",
};

/**
 * What verify says of each image file under the key that its name promises; absent images are
 * valid.
 */
const invalidFiles: Readonly<Record<string, string>> = {
  "app-nonboot": "non-bootable",
  "app-pubfull": "signature-untrusted",
  "app-unsigned": "signature-untrusted",
  "app-wrongkey": "signature-untrusted",
  "bad-hash-tlv": "hash-mismatch",
  "bad-header-magic": "header-magic",
  "bad-keyhash": "signature-untrusted",
  "bad-payload": "hash-mismatch",
  "bad-protected-tlv": "hash-mismatch",
  "bad-sig-der": "signature-invalid",
  "bad-signature": "signature-invalid",
  "bad-tlv-magic": "tlv-magic",
  "ed-wrongkey": "signature-untrusted",
  "erased-header-magic": "header-erased",
  "flag-encrypted": "encrypted",
  "huge-img-size": "image-beyond-source",
  "overflow-img-size": "image-beyond-source",
  "truncated-payload": "image-beyond-source",
  "truncated-tlv": "tlv-area-truncated",
  "unprot-tlv": "tlv-not-allowed",
  "version-tampered": "hash-mismatch",
};

describe("recorded images", { skip: skipWithoutVectors }, () => {
  test("info reads every image with a header, and tells the recorded version and size", () => {
    const { images } = loadMcubootVectors();
    for (const [name, image] of Object.entries(images)) {
      const read = readImageInfo(bytesSource(readVectorImage(name)));
      if (withoutHeader[name] !== undefined) {
        assert.deepEqual(read, { ok: false, reason: withoutHeader[name] }, name);
        continue;
      }
      assert.ok(read.ok, name);
      if (image.version !== undefined) assert.equal(read.info.version, image.version, name);
      if (image.payload_size !== undefined)
        assert.equal(read.info.header.payloadBytes, image.payload_size, name);
      const isPadded = name.includes("-pad-");
      if (image.version !== undefined && !isPadded)
        assert.equal(read.info.totalBytes, image.total_size, name);
    }
  });

  test("info tells the security counter and names what is wrong with the TLVs", () => {
    const info = (name: string) => {
      const read = readImageInfo(bytesSource(readVectorImage(name)));
      assert.ok(read.ok);
      return read.info;
    };
    assert.equal(info("app-1.1.0-cnt5").securityCounter, 5);
    assert.equal(info("app-ptlv").securityCounter, 7);
    assert.equal(info("app-ptlv").buildId, "0102030405060708");
    assert.equal(info("app-1.1.0").securityCounter, null);
    assert.equal(info("bad-tlv-magic").problem, "tlv-magic");
    assert.equal(info("truncated-payload").problem, "tlv-area-truncated");
    assert.equal(info("truncated-tlv").problem, "tlv-area-truncated");
  });

  test("verify accepts the good image files and names the defect of each bad one", () => {
    const { images } = loadMcubootVectors();
    const seen: Record<string, string> = {};
    for (const name of Object.keys(images)) {
      const key = name.startsWith("ed-") ? "test-ed25519" : "test-ec-p256";
      const verdict = verifyImage(bytesSource(readVectorImage(name)), {
        keys: [readVectorKey(`keys/${key}-pub.pem`)],
        crypto: nodeCrypto,
        verifyEd25519: nodeVerifyEd25519,
        imageBytesMax: 1 << 20,
      });
      if (!verdict.ok) seen[name] = verdict.reason;
    }
    assert.deepEqual(seen, invalidFiles);
  });

  test("verify agrees with what MCUboot did at every boot of every recorded scenario", () => {
    const vectors = loadMcubootVectors();
    const judge = new ScenarioJudge(vectors);
    for (const scenario of vectors.scenarios) judge.judge(scenario);
    assert.deepEqual(judge.disagreements, []);
    assert.ok(judge.comparisons > 500, `${judge.comparisons} comparisons`);
  });
});

/** Compares each recorded boot with the verdict on the slot that MCUboot decided about. */
class ScenarioJudge {
  comparisons = 0;
  readonly disagreements: string[] = [];
  private readonly vectors: McubootVectors;
  private readonly flash = new VectorFlash();
  private readonly verdicts = new Map<string, ImageVerdict>();

  constructor(vectors: McubootVectors) {
    this.vectors = vectors;
  }

  judge(scenario: VectorScenario): void {
    let before = scenario.initial_flash;
    scenario.steps.forEach((step, index) => {
      if (step.op === "boot" && step.cut === undefined)
        this.judgeBoot(scenario, index, before, step.flash_after);
      before = step.flash_after;
    });
  }

  private judgeBoot(scenario: VectorScenario, index: number, before: string, after: string): void {
    const step = scenario.steps[index];
    const config = this.vectors.configs[scenario.config];
    if (step?.op !== "boot" || config === undefined) throw new Error(scenario.id);
    const { expect } = step;
    const where = `${scenario.id} step ${index}`;
    if (expect.outcome === "booted" && (config.flags.validate_primary_slot || expect.swap_ran)) {
      const verdict = this.verdict(scenario, "primary", after, 0);
      this.compare(where, "primary", verdict, true);
      const version = parseVersion(expect.version ?? "");
      if (verdict.ok && version !== null && verdict.info.version !== formatVersion(version))
        this.disagreements.push(`${where}: ${verdict.info.version}, recorded ${expect.version}`);
    }
    if (expect.outcome === "no-bootable-image" && !config.flags.hw_rollback_protection)
      this.compare(where, "primary", this.verdict(scenario, "primary", after, 0), false);
    if (expect.outcome !== "booted" || expect.trailer_swap_type_before === "none") return;
    const hasOffset = config.flags.upgrade_mode === "swap-using-offset";
    const isRevert = expect.trailer_swap_type_before === "revert";
    const offset = hasOffset && !isRevert ? config.secondary_image_offset : 0;
    const verdict = this.verdict(scenario, "secondary", before, offset);
    if (expect.swap_ran && !expect.resumed) this.compare(where, "secondary", verdict, true);
    // swap-using-offset refuses, before it verifies, an upgrade whose slot has an image magic in
    // its first sector.
    const isMisplaced = offset > 0 && this.hasImageMagic(scenario, before);
    if (!expect.swap_ran && !isMisplaced && !scenario.tags.includes("downgrade"))
      this.compare(where, "secondary", verdict, false);
  }

  private compare(where: string, slot: string, verdict: ImageVerdict, accepted: boolean): void {
    this.comparisons += 1;
    if (verdict.ok === accepted) return;
    const ours = verdict.ok ? "accepted" : verdict.reason;
    const theirs = accepted ? "accepted" : "refused";
    this.disagreements.push(`${where}: ${slot} ${theirs} by MCUboot, here ${ours}`);
  }

  private hasImageMagic(scenario: VectorScenario, flashId: string): boolean {
    const layout = this.vectors.layouts[this.vectors.configs[scenario.config]?.layout ?? ""];
    if (layout === undefined) throw new Error(scenario.id);
    return parseImageHeader(this.flash.read(flashId, layout.secondary)).ok;
  }

  private verdict(
    scenario: VectorScenario,
    slot: "primary" | "secondary",
    flashId: string,
    offset: number,
  ): ImageVerdict {
    const config = this.vectors.configs[scenario.config];
    const layout = this.vectors.layouts[config?.layout ?? ""];
    if (config === undefined || layout === undefined) throw new Error(scenario.id);
    const name = [scenario.config, slot, flashId, offset].join(" ");
    const known = this.verdicts.get(name);
    if (known !== undefined) return known;
    const bytes = this.flash.read(flashId, layout[slot]);
    const verdict = verifyImage(bytesSource(bytes.subarray(offset)), {
      keys: [readVectorKey(config.flags.public_key)],
      crypto: nodeCrypto,
      verifyEd25519: nodeVerifyEd25519,
      imageBytesMax: config.max_image_size,
    });
    this.verdicts.set(name, verdict);
    return verdict;
  }
}
