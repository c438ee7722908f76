import { imageMagic } from "../../../src/image/header.ts";
import { isIntelHex } from "./intel-hex.ts";

/**
 * What a file is that cannot be the payload of an image as it is, by its content and never by its
 * name; null for everything else, an ESP application image included.
 */
export type ForeignFormat =
  | "empty"
  | "erased"
  | "intel-hex"
  | "s-records"
  | "elf"
  | "uf2"
  | "compressed"
  | "archive"
  | "program"
  | "pem"
  | "web-page"
  | "mcuboot-image";

export function foreignFormat(file: Uint8Array): ForeignFormat | null {
  if (file.length === 0) return "empty";
  if (file.every((byte) => byte === 0xff)) return "erased";
  const found = magics.find(([, magic]) => magic.every((byte, index) => file[index] === byte));
  if (found !== undefined) return found[0];
  if (isIntelHex(file)) return "intel-hex";
  const text = Buffer.from(file.subarray(0, textBytes)).toString("latin1");
  if (isSRecord(text)) return "s-records";
  if (text.startsWith("-----BEGIN ")) return "pem";
  if (/^\s*<(?:!doctype html|html)\b/i.test(text)) return "web-page";
  return text.startsWith("ustar", 257) ? "archive" : null;
}

/** What to do instead, as the end of a sentence about the file. */
export const foreignMeanings: Readonly<Record<ForeignFormat, string>> = {
  empty: "is empty: check what was to write it",
  erased: "holds only 0xff, as erased flash: give the binary that the build wrote",
  "intel-hex": "is Intel HEX: give the binary that the build wrote beside it",
  "s-records":
    'is Motorola S-records: make a binary of it with "objcopy -I srec -O binary", or give the one that the build wrote',
  elf: 'is an ELF file, which no bootloader starts: give the binary beside it (zephyr.bin), or make one with "objcopy -O binary"',
  uf2: "is UF2, for drives of bootloaders that copy it: give the binary that it was made of",
  compressed: "is compressed: unpack it first",
  archive: "is an archive: unpack it and give the binary in it",
  program: "is a program or library for a computer: give the binary for the board",
  pem: "is a key or certificate in PEM: check the order of the files",
  "web-page": "is a web page: what was downloaded is not the file but what a server said instead",
  "mcuboot-image":
    'is a signed image already: give what it was made of ("sluice image info" tells what it is), or --allow-nested to sign an image within an image',
};

type Magic = readonly [ForeignFormat, readonly number[]];

const littleEndian = (value: number): number[] =>
  [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

const magics: readonly Magic[] = [
  ["mcuboot-image", littleEndian(imageMagic)],
  ["elf", [0x7f, 0x45, 0x4c, 0x46]],
  ["uf2", [0x55, 0x46, 0x32, 0x0a, 0x57, 0x51, 0x5d, 0x9e]],
  ["compressed", [0x1f, 0x8b, 0x08]],
  ["compressed", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["compressed", [0x28, 0xb5, 0x2f, 0xfd]],
  ["compressed", [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59]],
  ["archive", [0x50, 0x4b, 0x03, 0x04]],
  ["archive", [0x50, 0x4b, 0x05, 0x06]],
  ["archive", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ["program", [0xcf, 0xfa, 0xed, 0xfe]],
  ["program", [0xca, 0xfe, 0xba, 0xbe]],
];

const textBytes = 1024;

/** A first line that begins as a record does: its type, its length, its address. */
function isSRecord(text: string): boolean {
  const [line = ""] = text.trimStart().split(/\r\n|\r|\n/, 1);
  return /^S[0-9][0-9a-fA-F]{8,}\s*$/.test(line);
}
