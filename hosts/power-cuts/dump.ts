import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeFlashFile } from "../flash/flash-file.ts";
import { encodeLayout } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import { boot } from "../mcuboot-model/boot.ts";
import { sluiceConfig } from "../mcuboot-model/sluice-config.ts";
import { slotHolds } from "./checkers/slot-content.ts";
import type { CaseFlashes, CaseReport } from "./cut-case.ts";
import type { ProofImage } from "./images.ts";
import { formatCase, type PlannedCase } from "./plan.ts";
import { everyImage, type Proof } from "./proof.ts";

/** One boot of the bootloader alone, without an application. */
interface DumpedBoot {
  /** The hash of the image that starts; null when none does. */
  readonly imageHash: string | null;
  /** The SHA-256 of the whole chip afterwards. */
  readonly flashSha256: string;
}

/** A chip as it stood at one moment. */
interface DumpedFlash {
  readonly file: string;
  readonly sha256: string;
  /**
   * What the bootloader starts from here, and what this chip runs after any number of boots without
   * an application.
   */
  readonly expectedImageHash: string | null;
  readonly settledImageHash: string | null;
  readonly boots: readonly DumpedBoot[];
}

/** An entry of index.json. */
export interface DumpedCase {
  readonly case: string;
  readonly history: string;
  readonly counter: string;
  readonly phase: string;
  /** The operation of the first cut, in the clean run. */
  readonly operation: number;
  readonly mode: string;
  /**
   * The operation of the second cut, counted from the start of the history as well; null for a
   * single cut.
   */
  readonly secondOperation: number | null;
  readonly secondMode: string | null;
  readonly seed: number;
  /** What runs at rest, when the firmware was there to finish or give up the update. */
  readonly expectedImageHash: string | null;
  readonly afterCut: DumpedFlash | null;
  readonly atRest: DumpedFlash | null;
}

/**
 * Boots without an application until nothing changes: three of a trial, a revert, and some for cut
 * swaps.
 */
const bootsMax = 10;

/** Writes what stays the same for all cases: layout, public key, images. */
export function openDump(folder: string, proof: Proof): void {
  mkdirSync(join(folder, "images"), { recursive: true });
  mkdirSync(join(folder, "flash"), { recursive: true });
  const layout = JSON.stringify(encodeLayout(proof.layout), null, 2);
  writeFileSync(join(folder, "layout.json"), `${layout}\n`);
  writeFileSync(join(folder, "key.pem"), proof.key.publicPem);
  for (const image of everyImage(proof.images))
    writeFileSync(join(folder, imageFile(image)), image.file);
}

/** Writes index.json, once all cases were dumped. */
export function closeDump(folder: string, proof: Proof, cases: readonly DumpedCase[]): void {
  const images = everyImage(proof.images).map((image) => ({
    file: imageFile(image),
    version: image.version,
    securityCounter: image.securityCounter,
    entry: image.entry,
    imageHash: image.imageHash,
  }));
  const index = {
    layout: "layout.json",
    publicKey: "key.pem",
    bootloader: {
      mode: "swap-using-move",
      writeBlockBytes: 4,
      maxAlignBytes: 8,
      imageSectorsMax: proof.layout.primary.sectors,
      downgradePrevention: "security-counter",
      trialBootHook: true,
    },
    seed: proof.images.seed,
    images,
    cases,
  };
  writeFileSync(join(folder, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
}

/** Writes the chip of one case right after its last cut and at rest. */
export async function dumpCase(
  folder: string,
  proof: Proof,
  planned: PlannedCase,
  outcome: { readonly report: CaseReport; readonly flashes: CaseFlashes },
): Promise<DumpedCase> {
  const { kind } = planned;
  const [first, second] = outcome.report.cuts;
  const run = await proof.cleanRun(kind);
  const name = formatCase({ kind, cuts: outcome.report.cuts });
  const file = name.replaceAll(/[^a-z0-9]+/g, "-");
  const { afterLastCut, atRest } = outcome.flashes;
  const rest = dumpFlash(folder, `flash/${file}-at-rest.bin`, proof, atRest);
  return {
    case: name,
    history: kind.name,
    counter: kind.counter,
    phase: run.operations[first?.operation ?? 0]?.phase ?? "none",
    operation: first?.operation ?? 0,
    mode: first?.kind ?? "none",
    secondOperation: second?.operation ?? null,
    secondMode: second?.kind ?? null,
    seed: proof.images.seed,
    expectedImageHash: rest?.expectedImageHash ?? null,
    afterCut: dumpFlash(folder, `flash/${file}-after-cut.bin`, proof, afterLastCut),
    atRest: rest,
  };
}

function dumpFlash(
  folder: string,
  file: string,
  proof: Proof,
  flash: NorFlash | null,
): DumpedFlash | null {
  if (flash === null) return null;
  writeFlashFile(join(folder, file), flash);
  const boots = bootAlone(proof, flash);
  return {
    file,
    sha256: sha256(flash),
    expectedImageHash: boots[0]?.imageHash ?? null,
    settledImageHash: boots.at(-1)?.imageHash ?? null,
    boots,
  };
}

/** What our model of the bootloader makes of a chip, boot after boot, until one changes nothing. */
function bootAlone(proof: Proof, start: NorFlash): DumpedBoot[] {
  const { layout, keys, hook } = proof.parts;
  const flash = start.clone();
  const boots: DumpedBoot[] = [];
  let before = sha256(flash);
  for (let count = 0; count < bootsMax; count += 1) {
    const outcome = boot(flash, sluiceConfig(layout, keys, hook));
    const flashSha256 = sha256(flash);
    const image = everyImage(proof.images).find(({ file }) =>
      slotHolds(flash, layout.primary, file),
    );
    const started = outcome.outcome === "booted" ? (image?.imageHash ?? null) : null;
    boots.push({ imageHash: started, flashSha256 });
    if (flashSha256 === before) break;
    before = flashSha256;
  }
  return boots;
}

function sha256(flash: NorFlash): string {
  return hash("sha256", flash.toBytes(), "hex");
}

function imageFile({ version, securityCounter, entry }: ProofImage): string {
  const name = entry.replace(/^.*\//, "").replace(/\.ts$/, "");
  return `images/${version}-counter-${securityCounter}-${name}.bin`;
}
