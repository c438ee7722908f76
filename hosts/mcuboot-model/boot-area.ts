import type { ImageSource } from "../../src/image/source.ts";
import { sectorBytes } from "../flash/geometry.ts";
import type { Extent } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";

/** MCUboot's `assert`: on a board it hangs or resets. */
export class BootAssertion extends Error {
  override readonly name = "BootAssertion";
}

export function bootAssert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BootAssertion(what);
}

/** One area of MCUboot's flash map; offsets are from its start. */
export class BootArea implements ImageSource {
  readonly name: "primary" | "secondary" | "scratch" | "bootctl";
  readonly sizeBytes: number;
  readonly sectors: number;
  readonly writeBlockBytes: number;
  readonly offsetBytes: number;
  readonly #flash: NorFlash;

  constructor(name: BootArea["name"], flash: NorFlash, extent: Extent) {
    this.name = name;
    this.#flash = flash;
    this.offsetBytes = extent.offsetBytes;
    this.sizeBytes = extent.sizeBytes;
    this.sectors = extent.sizeBytes / sectorBytes;
    this.writeBlockBytes = flash.writeBlockBytes;
  }

  contains(offset: number, lengthBytes: number): boolean {
    return offset >= 0 && offset + lengthBytes <= this.sizeBytes;
  }

  read(offset: number, into: Uint8Array): void {
    bootAssert(this.contains(offset, into.length), `read outside the ${this.name} area`);
    this.#flash.peekInto(this.offsetBytes + offset, into);
  }

  /** One write call. */
  write(offset: number, bytes: Uint8Array): void {
    bootAssert(this.contains(offset, bytes.length), `write outside the ${this.name} area`);
    this.#flash.write(this.offsetBytes + offset, bytes);
  }

  /** boot_erase_region: whole sectors in the given order. */
  erase(offset: number, lengthBytes: number, order: "upwards" | "downwards" = "upwards"): void {
    bootAssert(this.contains(offset, lengthBytes), `erase outside the ${this.name} area`);
    const count = lengthBytes / sectorBytes;
    for (let done = 0; done < count; done++) {
      const sector = order === "upwards" ? done : count - 1 - done;
      this.#flash.eraseSector(this.offsetBytes + offset + sector * sectorBytes);
    }
  }

  /** Calls `take` with the stored bytes piece by piece, without a copy. */
  visit(offset: number, lengthBytes: number, take: (bytes: Uint8Array) => void): void {
    bootAssert(this.contains(offset, lengthBytes), `read outside the ${this.name} area`);
    const start = this.offsetBytes + offset;
    const end = start + lengthBytes;
    for (let at = start; at < end; ) {
      const index = Math.floor(at / sectorBytes);
      const until = Math.min(end, (index + 1) * sectorBytes);
      const first = at - index * sectorBytes;
      take(this.#flash.sectorView(index).subarray(first, first + until - at));
      at = until;
    }
  }
}

/** boot_copy_region: bytes go from one area to another in pieces of this many. */
const copyBytesMax = 1024;

export function copyRegion(
  from: { readonly area: BootArea; readonly offset: number },
  to: { readonly area: BootArea; readonly offset: number },
  lengthBytes: number,
): void {
  for (let done = 0; done < lengthBytes; done += copyBytesMax) {
    const piece = new Uint8Array(Math.min(copyBytesMax, lengthBytes - done));
    from.area.read(from.offset + done, piece);
    to.area.write(to.offset + done, piece);
  }
}

export function isErased(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0xff);
}
