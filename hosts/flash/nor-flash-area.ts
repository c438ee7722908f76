import type { FlashArea } from "../../src/ports/flash.ts";
import { sectorBytes } from "./geometry.ts";
import { type FlashRule, FlashRuleError } from "./operation.ts";

/** The chip under an area, by absolute addresses; `NorFlash` tells the rules. */
interface Chip {
  readonly sizeBytes: number;
  readonly writeBlockBytes: number;
  read(address: number, into: Uint8Array): void;
  write(address: number, bytes: Uint8Array): void;
  eraseSector(address: number): void;
  refuse(rule: FlashRule, message: string): never;
}

/** One partition of a simulated chip behind the firmware's port. */
export class NorFlashArea implements FlashArea {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly sectorBytes = sectorBytes;
  readonly writeBlockBytes: number;
  readonly #flash: Chip;

  constructor(flash: Chip, offsetBytes: number, sizeBytes: number) {
    const fits = offsetBytes >= 0 && sizeBytes > 0 && offsetBytes + sizeBytes <= flash.sizeBytes;
    if (!fits || offsetBytes % sectorBytes !== 0 || sizeBytes % sectorBytes !== 0)
      throw new FlashRuleError(
        "bad-geometry",
        `an area of ${sizeBytes} bytes at ${offsetBytes} is not whole sectors inside ${flash.sizeBytes} bytes`,
      );
    this.#flash = flash;
    this.offsetBytes = offsetBytes;
    this.sizeBytes = sizeBytes;
    this.writeBlockBytes = flash.writeBlockBytes;
  }

  read(offsetBytes: number, into: Uint8Array): void {
    this.#flash.read(this.#address("read", offsetBytes, into.length), into);
  }

  write(offsetBytes: number, bytes: Uint8Array): void {
    this.#flash.write(this.#address("write", offsetBytes, bytes.length), bytes);
  }

  erase(offsetBytes: number, lengthBytes: number): void {
    const address = this.#address("erase", offsetBytes, lengthBytes);
    if (lengthBytes % sectorBytes !== 0)
      this.#flash.refuse(
        "unaligned-erase",
        `${lengthBytes} bytes are not whole ${sectorBytes}-byte sectors`,
      );
    for (let done = 0; done < lengthBytes; done += sectorBytes)
      this.#flash.eraseSector(address + done);
  }

  #address(what: string, offsetBytes: number, lengthBytes: number): number {
    const inside =
      Number.isInteger(offsetBytes) &&
      offsetBytes >= 0 &&
      offsetBytes + lengthBytes <= this.sizeBytes;
    if (!inside)
      this.#flash.refuse(
        "outside-flash",
        `${what} of ${lengthBytes} bytes at ${offsetBytes} in an area of ${this.sizeBytes} bytes`,
      );
    return this.offsetBytes + offsetBytes;
  }
}
