import { digits, isOf } from "../image/text-parts.ts";
import type { Certificate } from "./certificate.ts";
import { DerReader } from "./der.ts";

/** GeneralName (RFC 5280, 4.2.1.6) */
const generalName = { dns: 0x82, ipAddress: 0x87 } as const;
const dnsNameBytesMax = 253;

/**
 * Whether a certificate is about the server that was asked for, as Node's `checkServerIdentity` has
 * it: an address is compared with addresses, a name with names (RFC 9525, 6.3 and 6.5), and the
 * case of letters and a dot at the end make no difference. The subject's common name counts for
 * nothing.
 */
export function isNamed({ extensions }: Certificate, serverName: string): boolean {
  const wanted = toldServerName(serverName)?.toLowerCase() ?? null;
  const names = new DerReader(extensions.alternativeNames);
  while (!names.atEnd) {
    const tag = names.nextTag;
    const value = names.take(tag);
    if (tag === generalName.ipAddress && wanted === null && value.join(".") === serverName)
      return true;
    if (tag !== generalName.dns || wanted === null || value.length > dnsNameBytesMax) continue;
    if (isMatch(withoutEndDot(String.fromCharCode(...value)).toLowerCase(), wanted)) return true;
  }
  return false;
}

/** What a client says in its hello about whom it asks for (RFC 6066, 3); null for an address. */
export function toldServerName(serverName: string): string | null {
  const numbers = serverName.split(".");
  const isAddress =
    numbers.length === 4 && numbers.every((number) => isOf(number, digits, 1, serverName.length));
  return isAddress ? null : withoutEndDot(serverName);
}

/**
 * The first label of a pattern may be a `*`, or have one in it, for any characters of one label;
 * not in a label that stands for one of another script, and not right below a top-level domain.
 */
function isMatch(pattern: string, wanted: string): boolean {
  if (pattern.startsWith(".") || pattern.includes("..")) return false;
  const [first, rest] = split(pattern, ".");
  if (!first.includes("*") || first.includes("xn--")) return pattern === wanted;
  const [label, parent] = split(wanted, ".");
  if (rest !== parent || !parent.includes(".")) return false;
  const [before, after] = split(first, "*");
  return (
    !after.includes("*") &&
    label.length >= before.length + after.length &&
    label.startsWith(before) &&
    label.endsWith(after)
  );
}

/** What stands before and behind the first separator. */
function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function withoutEndDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}
