import { isEqual } from "./certificate.ts";
import { DerReader, derTag } from "./der.ts";

/** UTF8String, PrintableString, IA5String: the same text in any of them is the same value. */
const textTags: readonly number[] = [0x0c, 0x13, 0x16];
const space = 0x20;

/**
 * Whether two names in DER are the same (RFC 5280, 7.1): attribute by attribute, texts whatever
 * their string type, the case of ASCII and the number of spaces. An authority that was renewed with
 * another tool may have its name encoded in another way than its certificates have it.
 */
export function isSameName(one: Uint8Array, other: Uint8Array): boolean {
  return isEqual(one, other) || isSameContent(one, other, 0);
}

/** RDNSequence, RelativeDistinguishedName and AttributeTypeAndValue lie in one another. */
const depthMax = 3;

function isSameContent(one: Uint8Array, other: Uint8Array, depth: number): boolean {
  const [first, second] = [new DerReader(one), new DerReader(other)];
  while (!first.atEnd && !second.atEnd) {
    const [tag, otherTag] = [first.nextTag, second.nextTag];
    const [content, otherContent] = [first.take(tag), second.take(otherTag)];
    if (first.failed || second.failed) return false;
    if (textTags.includes(tag) && textTags.includes(otherTag)) {
      if (!isSameText(content, otherContent)) return false;
    } else if (tag !== otherTag) return false;
    else if (isConstructed(tag) && depth < depthMax) {
      if (!isSameContent(content, otherContent, depth + 1)) return false;
    } else if (!isEqual(content, otherContent)) return false;
  }
  return first.atEnd && second.atEnd && !first.failed && !second.failed;
}

/** SEQUENCE or SET. */
function isConstructed(tag: number): boolean {
  return tag === derTag.sequence || tag === derTag.set;
}

function isSameText(one: Uint8Array, other: Uint8Array): boolean {
  let [at, otherAt] = [afterSpaces(one, 0), afterSpaces(other, 0)];
  while (at < one.length && otherAt < other.length) {
    if (lowerCase(one[at]!) !== lowerCase(other[otherAt]!)) return false;
    [at, otherAt] = [nextAt(one, at), nextAt(other, otherAt)];
  }
  return at === one.length && otherAt === other.length;
}

/** Spaces count as one between other characters, and not at all at the end. */
function nextAt(text: Uint8Array, at: number): number {
  const next = afterSpaces(text, at + 1);
  return next === text.length || next === at + 1 ? next : next - 1;
}

function afterSpaces(text: Uint8Array, at: number): number {
  let next = at;
  while (text[next] === space) next += 1;
  return next;
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
