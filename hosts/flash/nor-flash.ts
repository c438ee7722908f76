import type { FlashArea } from "../../src/ports/flash.ts";
import { type NorGeometry, sectorBytes, type WriteBlockBytes } from "./geometry.ts";
import { NorFlashArea } from "./nor-flash-area.ts";
import {
  type FaultHook,
  type FlashOperation,
  type FlashRule,
  FlashRuleError,
  PowerCut,
} from "./operation.ts";

export interface FlashCounts {
  readonly erases: number;
  readonly writes: number;
  readonly bytesProgrammed: number;
}

const erasedSector = new Uint8Array(sectorBytes).fill(0xff);

/**
 * A whole NOR flash chip under absolute addresses. Sectors are erased to 0xff, writes are whole
 * write blocks that only clear bits, and anything else stops the run with a `FlashRuleError`.
 * Erased sectors take no memory and clones share the others until one of them changes. One
 * operation is the erase of one sector or one write call; a cut leaves it undone or half done
 * (`FaultHook`).
 */
export class NorFlash {
  readonly sizeBytes: number;
  readonly writeBlockBytes: WriteBlockBytes;
  /** Asked before each operation. */
  faultHook: FaultHook | null = null;
  #operationLog: FlashOperation[] | null = null;
  /** null is an erased sector. */
  readonly #sectors: (Uint8Array | null)[];
  /** A sector's bytes belong to this chip alone only while its mark equals `#generation`. */
  readonly #ownedSince: Uint32Array;
  #generation = 1;
  readonly #sectorErases: Uint32Array;
  #erases = 0;
  #writes = 0;
  #bytesProgrammed = 0;
  #interrupted: FlashOperation | null = null;
  #violation: FlashRuleError | null = null;

  /** A chip whose every byte is 0xff. */
  constructor(geometry: NorGeometry) {
    const { sizeBytes } = geometry;
    if (!Number.isInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % sectorBytes !== 0)
      throw new FlashRuleError(
        "bad-geometry",
        `a chip of ${sizeBytes} bytes is not a whole number of ${sectorBytes}-byte sectors`,
      );
    this.sizeBytes = sizeBytes;
    this.writeBlockBytes = geometry.writeBlockBytes;
    this.#sectors = new Array<Uint8Array | null>(sizeBytes / sectorBytes).fill(null);
    this.#ownedSince = new Uint32Array(this.#sectors.length);
    this.#sectorErases = new Uint32Array(this.#sectors.length);
  }

  /** A chip that holds exactly these bytes, as a programmer or `esptool read_flash` gives them. */
  static fromBytes(bytes: Uint8Array, writeBlockBytes: WriteBlockBytes = 4): NorFlash {
    const flash = new NorFlash({ sizeBytes: bytes.length, writeBlockBytes });
    flash.poke(0, bytes);
    return flash;
  }

  /** The whole content, from the test bench: works while the power is off. */
  toBytes(): Uint8Array {
    return this.peek(0, this.sizeBytes);
  }

  /**
   * An independent chip with the same content and wear; counts, hook and log start afresh, the
   * power is on.
   */
  clone(): NorFlash {
    const copy = new NorFlash(this);
    for (let index = 0; index < this.#sectors.length; index++)
      copy.#sectors[index] = this.#sectors[index] ?? null;
    copy.#sectorErases.set(this.#sectorErases);
    this.#generation++; // from here on both chips copy a shared sector before they change it
    return copy;
  }

  read(address: number, into: Uint8Array): void {
    this.#assertUsable();
    this.#assertInside("read", address, into.length);
    this.#copyOut(address, into);
  }

  /** Programs `bytes` in one operation. An empty write does nothing. */
  write(address: number, bytes: Uint8Array): void {
    this.#assertUsable();
    this.#assertInside("write", address, bytes.length);
    if (address % this.writeBlockBytes !== 0 || bytes.length % this.writeBlockBytes !== 0)
      this.refuse(
        "unaligned-write",
        `${bytes.length} bytes at ${hex(address)} are not whole ${this.writeBlockBytes}-byte blocks`,
      );
    if (bytes.length === 0) return;
    this.#assertOnlyClearsBits(address, bytes);
    this.#writes++;
    this.#bytesProgrammed += bytes.length;
    this.#perform({ kind: "write", address, lengthBytes: bytes.length, bytes }, (start, end) =>
      this.#copyIn(address + start, bytes.subarray(start, end)),
    );
  }

  /** Erases the sector that starts at `address`, in one operation. */
  eraseSector(address: number): void {
    this.#assertUsable();
    this.#assertInside("erase", address, sectorBytes);
    if (address % sectorBytes !== 0)
      this.refuse("unaligned-erase", `${hex(address)} is not the start of a sector`);
    const index = address / sectorBytes;
    this.#erases++;
    this.#sectorErases[index]! += 1;
    this.#perform({ kind: "erase", address, lengthBytes: sectorBytes }, (start, end) => {
      if (end - start === sectorBytes) this.#sectors[index] = null;
      else if (this.#sectors[index] !== null) this.#ownedSector(index).fill(0xff, start, end);
    });
  }

  /** The test bench overwrites bytes, ignoring the rules of NOR flash; not an operation. */
  poke(address: number, bytes: Uint8Array): void {
    this.#assertInside("poke", address, bytes.length);
    this.#copyIn(address, bytes);
  }

  /** The test bench looks at bytes; works while the power is off. */
  peek(address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    this.peekInto(address, bytes);
    return bytes;
  }

  peekInto(address: number, into: Uint8Array): void {
    this.#assertInside("peek", address, into.length);
    this.#copyOut(address, into);
  }

  /**
   * The bytes of one sector without a copy, from the test bench: not to be written, and only valid
   * until the next operation. Two sectors given as the same array are equal; erased ones always are
   * the same array.
   */
  sectorView(index: number): Uint8Array {
    return this.#sectors[index] ?? erasedSector;
  }

  /** One partition of the chip as the firmware sees it. */
  area(offsetBytes: number, sizeBytes: number): FlashArea {
    return new NorFlashArea(this, offsetBytes, sizeBytes);
  }

  /**
   * Operations since the chip was made or cloned; an operation that was cut counts, with all its
   * bytes.
   */
  get counts(): FlashCounts {
    return {
      erases: this.#erases,
      writes: this.#writes,
      bytesProgrammed: this.#bytesProgrammed,
    };
  }

  /** How often the sector that holds `address` was erased in the chip's life, clones included. */
  sectorErases(address: number): number {
    return this.#sectorErases[Math.floor(address / sectorBytes)] ?? 0;
  }

  /** The operation at which the power failed, until `restorePower`. */
  get interrupted(): FlashOperation | null {
    return this.#interrupted;
  }

  get powered(): boolean {
    return this.#interrupted === null;
  }

  restorePower(): void {
    this.#interrupted = null;
  }

  /**
   * Starts an operation log; the answer grows with each operation, the interrupted one included.
   */
  startLog(): readonly FlashOperation[] {
    this.#operationLog = [];
    return this.#operationLog;
  }

  stopLog(): void {
    this.#operationLog = null;
  }

  /** Stops the run: this access and every later one throw the same error. */
  refuse(rule: FlashRule, message: string): never {
    this.#violation = new FlashRuleError(rule, message);
    throw this.#violation;
  }

  #perform(operation: FlashOperation, effect: (start: number, end: number) => void): void {
    this.#operationLog?.push(
      operation.kind === "write" ? { ...operation, bytes: operation.bytes.slice() } : operation,
    );
    const answer = this.faultHook === null ? "proceed" : this.faultHook(operation);
    const half = Math.floor(operation.lengthBytes / 2);
    if (answer === "proceed") {
      effect(0, operation.lengthBytes);
      return;
    }
    if (answer === "drop") return;
    if (answer === "cut-half" && half > 0) effect(0, half);
    if (answer === "cut-tail") effect(half, operation.lengthBytes);
    if (answer === "cut-bits") this.#performHalfOfEachByte(operation);
    this.#interrupted = operation;
    throw new PowerCut();
  }

  #performHalfOfEachByte(operation: FlashOperation): void {
    const bytes = this.peek(operation.address, operation.lengthBytes);
    for (let index = 0; index < bytes.length; index++) {
      if (operation.kind === "erase") bytes[index]! |= 0xf0;
      else bytes[index]! &= operation.bytes[index]! | 0x0f;
    }
    this.#copyIn(operation.address, bytes);
  }

  #ownedSector(index: number): Uint8Array {
    const present = this.#sectors[index] ?? null;
    if (present !== null && this.#ownedSince[index] === this.#generation) return present;
    const owned = (present ?? erasedSector).slice();
    this.#sectors[index] = owned;
    this.#ownedSince[index] = this.#generation;
    return owned;
  }

  #copyIn(address: number, bytes: Uint8Array): void {
    for (const part of sectorParts(address, bytes.length)) {
      const piece = bytes.subarray(part.done, part.done + part.lengthBytes);
      if (this.#sectors[part.index] === null && isErased(piece)) continue;
      this.#ownedSector(part.index).set(piece, part.start);
    }
  }

  #copyOut(address: number, into: Uint8Array): void {
    for (const part of sectorParts(address, into.length)) {
      const sector = this.sectorView(part.index);
      into.set(sector.subarray(part.start, part.start + part.lengthBytes), part.done);
    }
  }

  #assertOnlyClearsBits(address: number, bytes: Uint8Array): void {
    for (const part of sectorParts(address, bytes.length)) {
      const sector = this.#sectors[part.index] ?? null;
      if (sector === null) continue;
      for (let at = 0; at < part.lengthBytes; at++) {
        const now = sector[part.start + at]!;
        const wanted = bytes[part.done + at]!;
        if ((now & wanted) !== wanted)
          this.refuse(
            "sets-a-bit",
            `${hex(wanted)} over ${hex(now)} at ${hex(address + part.done + at)} needs an erase`,
          );
      }
    }
  }

  #assertUsable(): void {
    if (this.#violation !== null) throw this.#violation;
    if (this.#interrupted !== null) throw new PowerCut();
  }

  #assertInside(what: string, address: number, lengthBytes: number): void {
    if (Number.isInteger(address) && address >= 0 && address + lengthBytes <= this.sizeBytes)
      return;
    this.refuse(
      "outside-flash",
      `${what} of ${lengthBytes} bytes at ${hex(address)} on a chip of ${this.sizeBytes} bytes`,
    );
  }
}

interface SectorPart {
  readonly index: number;
  /** Offset within the sector. */
  readonly start: number;
  /** Offset within the whole range. */
  readonly done: number;
  readonly lengthBytes: number;
}

function* sectorParts(address: number, lengthBytes: number): Generator<SectorPart> {
  let done = 0;
  while (done < lengthBytes) {
    const index = Math.floor((address + done) / sectorBytes);
    const start = (address + done) % sectorBytes;
    const part = Math.min(lengthBytes - done, sectorBytes - start);
    yield { index, start, done, lengthBytes: part };
    done += part;
  }
}

function isErased(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0xff) return false;
  return true;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
