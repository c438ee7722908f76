import { p256Good } from "./p256-vectors.ts";

/** One signature in DER over `p256Good.digest`, and whether it may count. */
export interface DerVector {
  readonly name: string;
  readonly der: Uint8Array;
  readonly valid: boolean;
}

const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const r = integer(p256Good.r);
const s = integer(p256Good.s);
const good = sequence(r, s);

const longLength = Uint8Array.of(0x30, 0x81, good.length - 2, ...good.slice(2));
const indefinite = Uint8Array.of(0x30, 0x80, ...r, ...s, 0, 0);
const wideR = Uint8Array.of(2, r.length - 1, 0, ...r.slice(2));
/** r has its highest bit set: without its leading zero it is a negative number. */
const negativeR = Uint8Array.of(2, r.length - 3, ...r.slice(3));

/** What an ECDSA verifier meets in place of a signature: RFC 3279, 2.2.3 and X.690. */
export const p256DerVectors: readonly DerVector[] = [
  { name: "the signature of RFC 6979 in DER", der: good, valid: true },
  { name: "high s, as the other half of signers has it", der: twin(), valid: true },
  { name: "nothing", der: Uint8Array.of(), valid: false },
  { name: "an empty sequence", der: sequence(), valid: false },
  { name: "r alone", der: sequence(r), valid: false },
  { name: "three integers", der: sequence(r, s, s), valid: false },
  { name: "r and s exchanged", der: sequence(s, r), valid: false },
  {
    name: "a set in place of the sequence",
    der: Uint8Array.of(0x31, ...good.slice(1)),
    valid: false,
  },
  { name: "a sequence in a sequence", der: sequence(good), valid: false },
  { name: "r as an octet string", der: sequence(Uint8Array.of(4, ...r.slice(1)), s), valid: false },
  { name: "r as null", der: sequence(Uint8Array.of(5, 0), s), valid: false },
  { name: "r as a boolean", der: sequence(Uint8Array.of(1, 1, 0xff), s), valid: false },
  { name: "an empty r", der: sequence(Uint8Array.of(2, 0), s), valid: false },
  { name: "a length in two bytes", der: longLength, valid: false },
  { name: "an indefinite length", der: indefinite, valid: false },
  { name: "a leading zero too many", der: sequence(wideR, s), valid: false },
  { name: "r without its leading zero", der: sequence(negativeR, s), valid: false },
  { name: "a byte behind the sequence", der: Uint8Array.of(...good, 0), valid: false },
  { name: "a byte behind s", der: sequence(r, s, Uint8Array.of(0)), valid: false },
  { name: "null behind s", der: sequence(r, s, Uint8Array.of(5, 0)), valid: false },
  { name: "the last byte missing", der: good.slice(0, -1), valid: false },
  { name: "a length beyond the end", der: good.with(1, good[1]! + 1), valid: false },
  { name: "a length before the end", der: good.with(1, good[1]! - 1), valid: false },
  {
    name: "a length of 2^31",
    der: Uint8Array.of(0x30, 0x84, 0x80, 0, 0, 0, ...r, ...s),
    valid: false,
  },
  { name: "r = 0", der: sequence(integer(0n), s), valid: false },
  { name: "s = 0", der: sequence(r, integer(0n)), valid: false },
  { name: "r = s = 0", der: sequence(integer(0n), integer(0n)), valid: false },
  { name: "r = n", der: sequence(integer(n), s), valid: false },
  { name: "s = n", der: sequence(r, integer(n)), valid: false },
  { name: "r + n", der: sequence(integer(p256Good.r + n), s), valid: false },
  { name: "s + n", der: sequence(r, integer(p256Good.s + n)), valid: false },
  { name: "r + 2^256", der: sequence(integer(p256Good.r + 2n ** 256n), s), valid: false },
  { name: "r - n", der: sequence(integer(p256Good.r - n), s), valid: false },
  { name: "-s", der: sequence(r, integer(-p256Good.s)), valid: false },
  { name: "r = s = 1", der: sequence(integer(1n), integer(1n)), valid: false },
  { name: "r and s of 64 bytes as they are", der: plain(), valid: false },
  ...truncations(),
];

function twin(): Uint8Array {
  return sequence(r, integer(n - p256Good.s));
}

function plain(): Uint8Array {
  const hex = (value: bigint): string => value.toString(16).padStart(64, "0");
  return Uint8Array.from(Buffer.from(hex(p256Good.r) + hex(p256Good.s), "hex"));
}

/** At each border between two parts, and in the middle of each. */
function truncations(): DerVector[] {
  return [1, 2, 3, 4, 20, 2 + r.length, 3 + r.length, 4 + r.length, 60].map((length) => ({
    name: `its first ${length} bytes`,
    der: good.slice(0, length),
    valid: false,
  }));
}

/** A whole number in two's complement, in as few bytes as it takes. */
function integer(value: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(8 * length, value) !== value) length += 1;
  const hex = BigInt.asUintN(8 * length, value).toString(16);
  return Uint8Array.of(2, length, ...Buffer.from(hex.padStart(2 * length, "0"), "hex"));
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  const content = parts.flatMap((part) => [...part]);
  return Uint8Array.of(0x30, content.length, ...content);
}
