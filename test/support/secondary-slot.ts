import { sectorBytes } from "../../hosts/flash/geometry.ts";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import { type FlashArea, FlashError } from "../../src/ports/flash.ts";

/** Two equal slots and nothing else: small enough to cut the power at each operation. */
export interface TwoSlots {
  readonly chip: NorFlash;
  readonly primary: FlashArea;
  readonly secondary: FlashArea;
  /** Where the secondary slot begins. */
  readonly secondaryOffset: number;
}

export function twoSlots(sectors: number, chip?: NorFlash): TwoSlots {
  const sizeBytes = sectors * sectorBytes;
  const flash = chip ?? new NorFlash({ sizeBytes: 2 * sizeBytes, writeBlockBytes: 4 });
  return {
    chip: flash,
    primary: flash.area(0, sizeBytes),
    secondary: flash.area(sizeBytes, sizeBytes),
    secondaryOffset: sizeBytes,
  };
}

export type FlashFault = (operation: "read" | "write" | "erase", offsetBytes: number) => boolean;

/** A partition whose driver fails with `FlashError` where `fails` answers true. */
export function failingArea(area: FlashArea, fails: FlashFault): FlashArea {
  const guard = (operation: "read" | "write" | "erase", offsetBytes: number): void => {
    if (fails(operation, offsetBytes))
      throw new FlashError(`${operation} at ${offsetBytes} failed`);
  };
  return {
    sizeBytes: area.sizeBytes,
    sectorBytes: area.sectorBytes,
    writeBlockBytes: area.writeBlockBytes,
    read(offsetBytes, into) {
      guard("read", offsetBytes);
      area.read(offsetBytes, into);
    },
    write(offsetBytes, bytes) {
      guard("write", offsetBytes);
      area.write(offsetBytes, bytes);
    },
    erase(offsetBytes, lengthBytes) {
      guard("erase", offsetBytes);
      area.erase(offsetBytes, lengthBytes);
    },
  };
}
