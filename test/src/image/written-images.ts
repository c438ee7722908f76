import { fromHex } from "../../../src/image/hex.ts";
import { type ImageOptions, plainImage } from "../../../src/image/writer.ts";

/**
 * A small image that the writer must give byte for byte, and that readers must take apart again.
 */
export interface WrittenImageVector {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly options: ImageOptions;
  /** Private keys of the signers, see `testSigner`. */
  readonly secrets: readonly number[];
  /** The file, one part per line: what the part is, and its hex. */
  readonly parts: ReadonlyArray<readonly [string, string]>;
}

const payload = Uint8Array.from("sluice!\n", (character) => character.charCodeAt(0));
const payloadHex = "736c75696365210a";
const keyHashOfSecret1 = "5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3";
const keyHashOfSecret2 = "dc0ce633dbcc913dafafa4b89ac44d8ce683fdfc3f60c8bdf21213b9f2b534ba";

export const writtenImages: readonly WrittenImageVector[] = [
  {
    name: "an unsigned image",
    payload,
    options: { ...plainImage, version: { major: 1, minor: 0, revision: 0, build: 0 } },
    secrets: [],
    parts: [
      ["magic, load address", "3db8f39600000000"],
      ["header size, protected size, payload size", "2000000008000000"],
      ["flags, version, pad", "000000000100000000000000" + "00000000"],
      ["payload", payloadHex],
      ["TLV info: 40 bytes", "07692800"],
      ["hash", "10002000" + "2297fddaa972edbaff35c58bd1c0aa842ff7f021b813b40c8cc27b3ed7b0c12f"],
    ],
  },
  {
    name: "an image with one signature",
    payload,
    options: { ...plainImage, version: { major: 1, minor: 2, revision: 3, build: 4 } },
    secrets: [1],
    parts: [
      ["magic, load address", "3db8f39600000000"],
      ["header size, protected size, payload size", "2000000008000000"],
      ["flags, version, pad", "000000000102030004000000" + "00000000"],
      ["payload", payloadHex],
      ["TLV info: 151 bytes", "07699700"],
      ["hash", "10002000" + "968d9d2fe566c7fb395a3d0a77eac4f756e0ea1207b83d6383eff55e83bccd32"],
      ["key hash", `01002000${keyHashOfSecret1}`],
      ["signature: 71 bytes, sequence of 69", "220047003045"],
      ["r", "022100de0284af539e8176d6c76371064de4a68c5110d7c54f20ea4bc009ff26ace1ba"],
      ["s", "022024f98f40253a677430da2dd72f0b5f37e8412418d7905e331363f70b3d7b4cf8"],
    ],
  },
  {
    name: "an image with everything and two signatures",
    payload,
    options: {
      ...plainImage,
      headerBytes: 40,
      version: { major: 255, minor: 0, revision: 65535, build: 4294967295 },
      securityCounter: 7,
      dependencies: [{ imageIndex: 1, versionMin: { major: 1, minor: 2, revision: 3, build: 4 } }],
      hardware: "esp32c3-b",
      buildId: Uint8Array.of(0xb0, 0xb1, 0xb2, 0xb3),
      customTlvs: [{ type: 0x00a2, value: Uint8Array.of(0xc0) }],
    },
    secrets: [1, 2],
    parts: [
      ["magic, load address", "3db8f39600000000"],
      ["header size, protected size, payload size", "2800360008000000"],
      ["flags, version, pad", "00000000ff00ffffffffffff" + "00000000"],
      ["header area beyond the header", "ffffffffffffffff"],
      ["payload", payloadHex],
      ["protected TLV info: 54 bytes", "08693600"],
      ["security counter", "50000400" + "07000000"],
      ["dependency: image 1, 1.2.3+4", "40000c00" + "01000000" + "0102030004000000"],
      ["hardware", "a0000900" + "657370333263332d62"],
      ["build id", "a1000400" + "b0b1b2b3"],
      ["custom", "a2000100" + "c0"],
      ["TLV info: 262 bytes", "07690601"],
      ["hash", "10002000" + "2ce1984134dc52dc50354919f5bf9139c11b5f71e15f09a7651ad8e5ea07b694"],
      ["key hash", `01002000${keyHashOfSecret1}`],
      ["signature: 71 bytes, sequence of 69", "220047003045"],
      ["r", "02204b3081302acd6e1ba2aba7c89b874739eb18f8b9d690e29a162e88c86dfaf654"],
      ["s", "022100e04444cebb9cd81ed458b78352fccc4df99aaec5caab8ccb08827f98ffe85e84"],
      ["key hash", `01002000${keyHashOfSecret2}`],
      ["signature: 71 bytes, sequence of 69", "220047003045"],
      ["r", "022100fffd2faefb152cae26fa32408ebfc4107671c1e493e02fcf58f67d547ae37a76"],
      ["s", "0220095b5b3af34bdc79d6c33e55aff8c8d267642e416636d14ce453a293935c09f6"],
    ],
  },
];

/** The bytes of a stored image. */
export function storedImage(vector: WrittenImageVector): Uint8Array {
  const bytes = fromHex(vector.parts.map(([, hex]) => hex).join(""));
  if (bytes === null) throw new Error(`${vector.name} is not stored as hex`);
  return bytes;
}
