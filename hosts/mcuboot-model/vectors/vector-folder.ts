import { createHash, createPublicKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decodePublicKey, type TrustedImageKey } from "../../../src/image/keys.ts";
import type { WriteBlockBytes } from "../../flash/geometry.ts";
import { sectorBytes } from "../../flash/geometry.ts";
import { NorFlash } from "../../flash/nor-flash.ts";
import { JsonObject, VectorFormatError } from "./vector-json.ts";

/** A folder of recorded vectors (format `mcuboot-vectors-1`), read as far as it is asked for. */
export class VectorFolder {
  readonly path: string;
  readonly index: JsonObject;
  readonly #snapshots: JsonObject;
  readonly #traces: JsonObject | null;
  #pool: Uint8Array | null = null;
  readonly #images = new Map<string, Uint8Array>();

  constructor(path: string) {
    this.path = path;
    this.index = this.#json("vectors.json");
    const format = this.index.raw("format");
    if (format !== "mcuboot-vectors-1")
      throw new VectorFormatError(`format is ${JSON.stringify(format)}, not mcuboot-vectors-1`);
    this.#snapshots = this.#json("flash-index.json");
    this.#traces = existsSync(join(path, "traces.json.gz")) ? this.#json("traces.json.gz") : null;
  }

  scenarios(): JsonObject[] {
    return this.index.has("scenarios") ? this.index.objects("scenarios") : [];
  }

  /**
   * Every exhaustive file that is listed or lies in the folder; none when there is no such folder.
   */
  exhaustiveFiles(): string[] {
    if (!existsSync(join(this.path, "exhaustive"))) return [];
    const listed = this.index.has("exhaustive")
      ? this.index.objects("exhaustive").map((entry) => entry.text("file"))
      : [];
    const present = readdirSync(join(this.path, "exhaustive"))
      .filter((name) => name.endsWith(".json.gz"))
      .map((name) => `exhaustive/${name}`);
    return [...new Set([...listed, ...present])].sort();
  }

  exhaustive(file: string): JsonObject {
    return this.#json(file);
  }

  /** A public key in PEM. */
  key(file: string): TrustedImageKey {
    const pem = readFileSync(join(this.path, file), "utf8");
    const key = decodePublicKey(createPublicKey(pem).export({ format: "der", type: "spki" }));
    if (key === null) throw new VectorFormatError(`${file} is no P-256 or Ed25519 key`);
    return key;
  }

  image(name: string): Uint8Array {
    const known = this.#images.get(name);
    if (known !== undefined) return known;
    const entry = this.index.object("images").object(name);
    const bytes = this.#bytes(entry.text("file"));
    if (entry.has("sha256") && sha256([bytes]) !== entry.text("sha256"))
      throw new VectorFormatError(`image ${name} does not have its recorded SHA-256`);
    this.#images.set(name, bytes);
    return bytes;
  }

  /** The operations of one boot, or null where none were recorded. */
  trace(scenario: string, step: number): readonly unknown[] | null {
    if (this.#traces === null || !this.#traces.has(scenario)) return null;
    const steps = this.#traces.object(scenario);
    return steps.has(String(step)) ? steps.list(String(step)) : null;
  }

  hasSnapshot(id: string): boolean {
    return this.#snapshots.has(id);
  }

  /** A chip that holds a snapshot, checked against its SHA-256. */
  snapshot(id: string, writeBlockBytes: WriteBlockBytes): NorFlash {
    const entry = this.#snapshots.object(id);
    const flash = new NorFlash({ sizeBytes: entry.number("size"), writeBlockBytes });
    const sectors = entry.object("sectors");
    this.#pool ??= this.#bytes("sectors.bin.gz");
    for (const address of sectors.keys()) {
      const start = sectors.number(address) * sectorBytes;
      flash.poke(Number(address), this.#pool.subarray(start, start + sectorBytes));
    }
    if (flashDigest(flash) !== entry.text("sha256"))
      throw new VectorFormatError(`snapshot ${id} does not have its recorded SHA-256`);
    return flash;
  }

  #json(file: string): JsonObject {
    const text = new TextDecoder().decode(this.#bytes(file));
    return new JsonObject(JSON.parse(text), file);
  }

  #bytes(file: string): Uint8Array {
    const bytes = readFileSync(join(this.path, file));
    return file.endsWith(".gz") ? gunzipSync(bytes) : bytes;
  }
}

/** SHA-256 of a chip's whole content, in hex; a snapshot's id is its first 16 digits. */
export function flashDigest(flash: NorFlash): string {
  const sectors = Array.from({ length: flash.sizeBytes / sectorBytes }, (_, index) =>
    flash.sectorView(index),
  );
  return sha256(sectors);
}

export function flashId(flash: NorFlash): string {
  return flashDigest(flash).slice(0, 16);
}

function sha256(pieces: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}
