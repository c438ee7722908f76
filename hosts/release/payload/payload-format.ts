import { imageMagic } from "../../../src/image/header.ts";
import { isIntelHex, withoutMark } from "./intel-hex.ts";

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
  | "dfu"
  | "ti-txt"
  | "utf-16"
  | "pem"
  | "der"
  | "web-page"
  | "json"
  | "lfs-pointer"
  | "mcuboot-image";

export function foreignFormat(file: Uint8Array): ForeignFormat | null {
  if (file.length === 0) return "empty";
  if (file.every((byte) => byte === 0xff)) return "erased";
  const found = magics.find(([, magic]) => magic.every((byte, index) => file[index] === byte));
  if (found !== undefined) return found[0];
  if (isWindowsProgram(file)) return "program";
  if (isIntelHex(file)) return "intel-hex";
  if (isDer(file)) return "der";
  const text = Buffer.from(file.subarray(0, textBytes)).toString("latin1");
  if (text.startsWith("ustar", 257)) return "archive";
  if (isUtf16(file)) return "utf-16";
  const ofText = textFormats.find(([, pattern]) => pattern.test(withoutMark(text)));
  if (ofText !== undefined) return ofText[0];
  return isJson(file) ? "json" : null;
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
  dfu: "is a DFU file for a loader on USB: give the binary that it was made of",
  "ti-txt": "is TI-TXT: give the binary that the build wrote beside it",
  "utf-16":
    "is text in UTF-16, as a redirection in PowerShell writes it: let the tool itself write its file",
  pem: "is a key or certificate in PEM: check the order of the files",
  der: "is a key or certificate in DER: check the order of the files",
  "web-page":
    "is a web page or XML: what was downloaded is not the file but what a server said instead",
  json: "is JSON, as a manifest or what a server said: give the binary that the build wrote",
  "lfs-pointer": 'is a pointer of Git LFS and not the file: get it with "git lfs pull"',
  "mcuboot-image":
    'is a signed image already: give what it was made of ("sluice image info" tells what it is), or --allow-nested to sign an image within an image',
};

const ascii = (text: string): number[] => [...Buffer.from(text, "latin1")];

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
  ["archive", ascii("Rar!\x1a\x07")],
  ["archive", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ["program", [0xcf, 0xfa, 0xed, 0xfe]],
  ["program", [0xca, 0xfe, 0xba, 0xbe]],
  ["program", ascii("\0asm\x01\0\0\0")],
  ["program", ascii("!<arch>\n")],
  ["program", ascii("#!/")],
  ["compressed", [0x04, 0x22, 0x4d, 0x18]],
  ["dfu", ascii("DfuSe\x01")],
];

const textBytes = 1024;

const textFormats: ReadonlyArray<readonly [ForeignFormat, RegExp]> = [
  ["s-records", /^\s*S[0-9][0-9a-fA-F]{8,}\s*?(?:[\r\n]|$)/],
  ["ti-txt", /^\s*@[0-9a-fA-F]{2,8}\s*[\r\n]+\s*(?:[0-9a-fA-F]{2} ?){1,16}\s*[\r\n]/],
  // OpenSSL writes what a key is called above it.
  ["pem", /^(?:Bag Attributes[\s\S]*?)?-----BEGIN /],
  ["web-page", /^\s*(?:<!--[\s\S]*?-->\s*)?<(?:!doctype html|html|\?xml)\b/i],
  ["lfs-pointer", /^version https:\/\/git-lfs\./],
];

/** Behind its mark there are letters and ends of lines alone, each with a zero beside it. */
function isUtf16(file: Uint8Array): boolean {
  const isLittle = file[0] === 0xff && file[1] === 0xfe;
  const isBig = file[0] === 0xfe && file[1] === 0xff;
  if (!(isLittle || isBig) || file.length < 4) return false;
  const [low, high] = isLittle ? [0, 1] : [1, 0];
  return file
    .subarray(2, textBytes)
    .every((byte, index) =>
      index % 2 === high ? byte === 0 : index % 2 === low && isLetter(byte),
    );
}

function isLetter(byte: number): boolean {
  return byte === 0x09 || byte === 0x0a || byte === 0x0d || (byte >= 0x20 && byte < 0x7f);
}

/**
 * One sequence of ASN.1 (X.690, 8.1), as long as the file is; keys and certificates are no longer.
 */
function isDer(file: Uint8Array): boolean {
  const [tag, length = 0, second = 0, third = 0] = file;
  if (tag !== 0x30 || file.length > 16 * 1024) return false;
  if (length < 0x80) return length > 0 && file.length === 2 + length;
  if (length === 0x81) return file.length === 3 + second;
  return length === 0x82 && file.length === 4 + second * 256 + third;
}

/** "MZ", and where the 32 bits at 0x3c point to, "PE". */
function isWindowsProgram(file: Uint8Array): boolean {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < 0x40 || bytes.toString("latin1", 0, 2) !== "MZ") return false;
  const at = bytes.readUInt32LE(0x3c);
  return bytes.toString("latin1", at, at + 4) === "PE\0\0";
}

const jsonBytesMax = 16 * 1024 * 1024;

/** An object or a list; a text or a number alone could be a program in JavaScript. */
function isJson(file: Uint8Array): boolean {
  if (file.length > jsonBytesMax) return false;
  const text = Buffer.from(file.subarray(0, 64)).toString("latin1");
  if (!/^\s*[[{]/.test(withoutMark(text))) return false;
  try {
    JSON.parse(
      Buffer.from(file)
        .toString("utf8")
        .replace(/^\ufeff/, ""),
    );
    return true;
  } catch {
    return false; // it only begins like it
  }
}
