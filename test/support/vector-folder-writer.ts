import { createPublicKey } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { sectorBytes } from "../../hosts/flash/geometry.ts";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import { cutAt, cutKinds } from "../../hosts/flash/operation.ts";
import { setPending } from "../../hosts/mcuboot-model/application.ts";
import { boot } from "../../hosts/mcuboot-model/boot.ts";
import {
  outcomeFields,
  traceEntry,
  trailerFields,
} from "../../hosts/mcuboot-model/vectors/compare.ts";
import { flashDigest, flashId } from "../../hosts/mcuboot-model/vectors/vector-folder.ts";
import { encodePublicKey } from "../../src/image/keys.ts";
import { makeConfig, makeImage, signers, smallLayout } from "./boot-bench.ts";

/**
 * The files of a folder of vectors before they are written, so that a test can spoil one of them.
 */
export interface VectorFiles {
  readonly index: {
    format: string;
    readonly layouts: Record<string, unknown>;
    readonly configs: { readonly T: { readonly flags: Record<string, unknown> } };
    readonly images: Record<string, unknown>;
    readonly scenarios: Array<{
      readonly id: string;
      readonly initial_flash: string;
      readonly config: string;
      readonly layout: string;
      readonly steps: Record<string, unknown>[];
    }>;
    exhaustive?: unknown[];
  };
  readonly snapshots: Record<string, unknown>;
  traces: Record<string, Record<string, unknown[][]>> | null;
  exhaustive: ExhaustiveFile | null;
  readonly binary: Map<string, Uint8Array>;
}

export interface ExhaustiveFile {
  readonly start_flash: string;
  readonly modes: Record<string, { after_cut: string; boots: unknown[][] }[]>;
}

const config = makeConfig();

/**
 * One scenario (an upgrade that is cut and resumed) and one exhaustive file, recorded from the
 * model itself.
 */
export async function recordVectors(): Promise<VectorFiles> {
  const images = {
    old: await makeImage({ version: "1.0.0", sectors: 1 }),
    new: await makeImage({ version: "2.0.0", sectors: 2 }),
  };
  const recorder = new SnapshotRecorder();
  const flash = new NorFlash({ sizeBytes: smallLayout.flashBytes, writeBlockBytes: 4 });
  const steps: Record<string, unknown>[] = [];
  const record = (step: Record<string, unknown>): void => {
    steps.push({ ...step, flash_after: recorder.record(flash) });
  };
  const initial = recorder.record(flash);
  for (const [area, image] of [
    ["primary", "old"],
    ["secondary", "new"],
  ] as const) {
    flash.poke(smallLayout[area].offsetBytes, images[image]);
    record({ op: "program", area, image, at: 0, erase_area_first: true });
  }
  const writes = flash.startLog();
  setPending(flash, config, "test");
  record({
    op: "app",
    call: "boot_set_pending_multi(0, 0)",
    rc: 0,
    outcome: "ok",
    writes: writes.map((write) => [write.address, traceEntry(write)[4]]),
    trailers_after: {},
    trailer_swap_type_after: "test",
  });
  const pending = flash.clone();
  const traces: Record<string, unknown[][]> = {};
  for (const cut of [{ cut: 9, torn: "half" }, {}]) {
    const log = flash.startLog();
    if (cut.cut !== undefined) flash.faultHook = cutAt(cut.cut, "half");
    const outcome = boot(flash, config);
    flash.faultHook = null;
    const fields = Object.entries(outcomeFields(outcome)).filter(
      ([, value]) => value !== undefined,
    );
    const primary = trailerFields(outcome.after.primary);
    traces[steps.length] = log.map((operation) => [...traceEntry(operation)]);
    record({
      op: "boot",
      ...cut,
      expect: { ...Object.fromEntries(fields), trailers_after: { primary } },
    });
  }
  const names = { config: "T", layout: "test" };
  const exhaustive = recordExhaustive(pending, recorder);
  return {
    index: {
      format: "mcuboot-vectors-1",
      layouts: { test: layoutEntry() },
      configs: { T: { flags: flags() } },
      images: { old: { file: "images/old.bin.gz" }, new: { file: "images/new.bin.gz" } },
      scenarios: [{ id: "cut-upgrade", ...names, initial_flash: initial, steps }],
      exhaustive: [{ id: "ex-t", file: "exhaustive/ex-t.json.gz" }],
    },
    snapshots: recorder.index,
    traces: { "cut-upgrade": traces },
    exhaustive: Object.assign({ id: "ex-t", ...names }, exhaustive),
    binary: new Map<string, Uint8Array>([
      ["images/old.bin.gz", gzipSync(images.old)],
      ["images/new.bin.gz", gzipSync(images.new)],
      ["keys/key.pem", publicKeyPem()],
      ["sectors.bin.gz", gzipSync(Buffer.concat(recorder.pool))],
    ]),
  };
}

/** Writes the folder; `traces` and `exhaustive` are left away when they are null. */
export function writeVectors(folder: string, files: VectorFiles): void {
  const put = (name: string, bytes: Uint8Array | string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  };
  put("vectors.json", JSON.stringify(files.index));
  put("flash-index.json", JSON.stringify(files.snapshots));
  if (files.traces !== null) put("traces.json.gz", gzipSync(JSON.stringify(files.traces)));
  if (files.exhaustive !== null)
    put("exhaustive/ex-t.json.gz", gzipSync(JSON.stringify(files.exhaustive)));
  for (const [name, bytes] of files.binary) put(name, bytes);
}

function recordExhaustive(start: NorFlash, recorder: SnapshotRecorder): ExhaustiveFile {
  const modes: ExhaustiveFile["modes"] = {};
  for (const mode of cutKinds) {
    modes[mode] = [0, 5, 20].map((cut) => {
      const flash = start.clone();
      flash.faultHook = cutAt(cut, mode);
      boot(flash, config);
      flash.faultHook = null;
      const after = flashId(flash);
      const outcome = boot(flash, config);
      const seen = outcomeFields(outcome);
      const tuple = ["outcome", "version", "swap_type", "swap_ran", "resumed", "ops"];
      const fields = [...tuple, "trailer_swap_type_after"].map((name) => seen[name]);
      return { cut, after_cut: after, boots: [[...fields, flashId(flash)]] };
    });
  }
  return { start_flash: recorder.record(start), modes };
}

class SnapshotRecorder {
  readonly index: Record<string, unknown> = {};
  readonly pool: Uint8Array[] = [];

  record(flash: NorFlash): string {
    const sectors: Record<string, number> = {};
    for (let sector = 0; sector < flash.sizeBytes / sectorBytes; sector++) {
      sectors[`0x${(sector * sectorBytes).toString(16)}`] = this.pool.length;
      this.pool.push(flash.sectorView(sector).slice());
    }
    const sha256 = flashDigest(flash);
    this.index[sha256.slice(0, 16)] = { size: flash.sizeBytes, sha256, sectors };
    return sha256.slice(0, 16);
  }
}

function layoutEntry(): unknown {
  const slot = (name: "primary" | "secondary") => {
    const { offsetBytes: offset, sizeBytes: size, sectors } = smallLayout[name];
    return { offset, size, sectors };
  };
  return {
    flash_size: smallLayout.flashBytes,
    sector_size: sectorBytes,
    primary: slot("primary"),
    secondary: slot("secondary"),
  };
}

function flags(): Record<string, unknown> {
  return {
    upgrade_mode: config.mode,
    signature: "ecdsa-p256",
    public_key: "keys/key.pem",
    hash: "sha256",
    validate_primary_slot: true,
    max_align: 8,
    write_size: 4,
    max_img_sectors: config.imageSectorsMax,
    downgrade_prevention: "none",
    hw_rollback_protection: false,
  };
}

function publicKeyPem(): Buffer {
  const der = Buffer.from(encodePublicKey(signers.first.key));
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  return Buffer.from(key.export({ format: "pem", type: "spki" }));
}
