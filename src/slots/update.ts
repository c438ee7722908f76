import { type ImageRefusal, type ImageTrust, verifyImage } from "../image/verify.ts";
import { type FlashArea, FlashError } from "../ports/flash.ts";
import { partitionArea, type UpdatePartition } from "./partition-area.ts";
import { Slots } from "./slots.ts";
import { UpdateWriter } from "./update-writer.ts";

/** The options of `open` in ECMA-419's Update class; values of any type, since a caller may err. */
export interface UpdateOptions {
  /** The secondary slot, opened with the mode "r+". */
  readonly partition: UpdatePartition;
  /** "a" takes the image in order, "w" takes pieces at any offset. "a" when absent. */
  readonly mode?: "a" | "w";
  /** The size of the image. When given, `complete` refuses any other number of bytes. */
  readonly byteLength?: number;
}

export type Bytes = ArrayBuffer | Uint8Array | Uint8ClampedArray | Int8Array | DataView;

/** What judges an update and arranges that it boots. */
export interface UpdateTarget {
  /** The end of the slot that belongs to the bootloader; erased before the first write. */
  trailerBytes(slot: FlashArea): number;
  /** Looks at what the slot holds now: null when it may boot, else why not. */
  validate(slot: FlashArea): string | null;
  /** Has the next reset boot it: null when that is arranged, else why not. */
  request(slot: FlashArea): string | null;
}

/**
 * The secondary slot of MCUboot under swap-using-move. An image is good when the bootloader would
 * take it: format, size, hash, and a signature by one of the keys. It boots as a trial, which it
 * must confirm itself.
 */
export function mcubootTarget(trust: () => Pick<ImageTrust, "keys" | "crypto">): UpdateTarget {
  const slotsOf = (slot: FlashArea): Slots =>
    new Slots({ primary: slot, secondary: slot, bootctl: null });
  return {
    trailerBytes: (slot) => slotsOf(slot).trailerBytes,
    validate(slot): ImageRefusal | null {
      const { imageBytesMax } = slotsOf(slot);
      const verdict = verifyImage(slot, { ...trust(), imageBytesMax });
      return verdict.ok ? null : verdict.reason;
    },
    request(slot) {
      const requested = slotsOf(slot).requestSwap();
      return requested.ok ? null : requested.reason;
    },
  };
}

/**
 * The module `embedded:update` of ECMA-419 for one target. `open` throws, by exact constructor,
 * TypeError without options, Error without a partition or with one that is read only, SyntaxError
 * for one that is no flash or was closed, RangeError for any other mode and for a length that the
 * partition cannot hold.
 */
export function createUpdate(target: UpdateTarget) {
  return Object.freeze({
    open(options: UpdateOptions): Update {
      const { partition, mode, byteLength } = options;
      if (partition === undefined) throw new Error("an update needs a partition");
      const slot = partitionArea(partition);
      return new Update(target, slot, modeOf(mode), lengthOf(byteLength, slot.sizeBytes));
    },
  });
}

/**
 * One update on its way into a slot. Nothing of it is kept in memory but part of a write block. A
 * power cut or `close` before `complete` leaves a slot that asks for nothing; the next `open`
 * begins anew.
 */
export class Update {
  readonly #target: UpdateTarget;
  readonly #slot: FlashArea;
  readonly #writer: UpdateWriter;
  readonly #mode: "a" | "w";
  readonly #byteLength: number | null;
  #state: "open" | "ended" | "closed" = "open";

  constructor(target: UpdateTarget, slot: FlashArea, mode: "a" | "w", byteLength: number | null) {
    this.#target = target;
    this.#slot = slot;
    this.#mode = mode;
    this.#byteLength = byteLength;
    this.#writer = new UpdateWriter(slot, target.trailerBytes(slot));
  }

  get format(): "buffer" {
    return "buffer";
  }

  /** Throws RangeError for anything but "buffer". */
  set format(format: string) {
    if (format !== "buffer")
      throw new RangeError(`an update has the format "buffer", not "${format}"`);
  }

  /**
   * Takes bytes, in the mode "w" those at an offset. Throws SyntaxError after `close`, without
   * bytes and in the mode "w" without an offset; TypeError for what is no buffer of bytes;
   * RangeError beyond the length; Error with an offset in the mode "a", after `complete`, and when
   * the flash fails.
   */
  write(buffer: Bytes, byteOffset?: number): void {
    this.#assertOpen();
    const bytes = bytesOf(buffer);
    if (this.#mode === "a") {
      if (byteOffset !== undefined) throw new Error('the mode "a" takes no offset');
      this.#assertFits(this.#writer.writtenBytes, bytes.length);
      attempt(() => this.#writer.append(bytes));
      return;
    }
    if (byteOffset === undefined) throw new SyntaxError('the mode "w" needs an offset');
    this.#assertFits(byteOffset, bytes.length);
    attempt(() => this.#writer.writeAt(byteOffset, bytes));
  }

  /**
   * Ends the update: validates what the slot holds and has the next reset boot it; does not reset.
   * It takes as long as hashing the image. Throws SyntaxError after `close`, Error when bytes are
   * missing or too many, when the image is refused, when the flash fails, and when called again;
   * the slot then asks for nothing.
   */
  complete(): void {
    this.#assertOpen();
    this.#state = "ended";
    const { writtenBytes } = this.#writer;
    const wanted = this.#byteLength ?? writtenBytes;
    if (writtenBytes === 0 || writtenBytes !== wanted)
      throw new Error(`${writtenBytes} bytes were written, not ${wanted || "an image"}`);
    attempt(() => this.#writer.finish());
    const refusal = attempt(() => this.#target.validate(this.#slot));
    if (refusal !== null) throw new Error(`the image is refused: ${refusal}`);
    const failure = attempt(() => this.#target.request(this.#slot));
    if (failure !== null) throw new Error(`the bootloader cannot be asked for it: ${failure}`);
  }

  /** Ends it without booting, unless it was completed. May be called again. */
  close(): void {
    this.#state = "closed";
  }

  #assertOpen(): void {
    if (this.#state === "closed") throw new SyntaxError("the update was closed");
    if (this.#state === "ended") throw new Error("the update was completed: open a new one");
  }

  #assertFits(offsetBytes: number, lengthBytes: number): void {
    const endMax = this.#byteLength ?? this.#slot.sizeBytes;
    const isOffset = Number.isInteger(offsetBytes) && offsetBytes >= 0;
    if (!isOffset || offsetBytes + lengthBytes > endMax)
      throw new RangeError(
        `${lengthBytes} bytes at ${offsetBytes} of an update of ${endMax} bytes`,
      );
  }
}

function modeOf(mode: unknown): "a" | "w" {
  if (mode === undefined) return "a";
  const text = `${mode}`; // a symbol throws TypeError, as it must
  if (text !== "a" && text !== "w") throw new RangeError(`no mode "${text}" for an update`);
  return text;
}

/** Null when the caller leaves it open. */
function lengthOf(byteLength: unknown, sizeBytes: number): number | null {
  if (byteLength === undefined) return null;
  const value = Number(byteLength); // a symbol throws TypeError, as it must
  if (!Number.isInteger(value) || value < 0 || value > sizeBytes)
    throw new RangeError(`an update of ${value} bytes in a partition of ${sizeBytes}`);
  return value;
}

function bytesOf(buffer: unknown): Uint8Array {
  if (buffer === undefined) throw new SyntaxError("write needs bytes");
  if (ArrayBuffer.isView(buffer)) {
    const { byteOffset, byteLength } = buffer;
    // DataView has no element size; arrays of wider elements leave the order of their bytes open.
    const elementBytes = (buffer as Partial<Uint8Array>).BYTES_PER_ELEMENT ?? 1;
    if (elementBytes === 1) return new Uint8Array(buffer.buffer, byteOffset, byteLength);
  } else if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  throw new TypeError("write takes an ArrayBuffer or a view of bytes");
}

/** ECMA-419 knows no errors of ours. */
function attempt<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof FlashError) throw new Error(error.message);
    throw error;
  }
}
