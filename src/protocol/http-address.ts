import { digits, isOf, letters, partsAtStart } from "../image/text-parts.ts";
import { urlLengthMax } from "./url.ts";

/** Where an address leads. */
export interface HttpAddress {
  readonly isSecure: boolean;
  /** In lower case. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export type ParsedAddress =
  | ({ readonly ok: true } & HttpAddress)
  | { readonly ok: false; readonly reason: "bad-url" | "url-too-long" | "url-ipv6" };

/**
 * Refuses what this device cannot ask: other schemes, users, fragments, and with names of their own
 * longer addresses and IPv6, which no board of ours speaks. A scheme and a host may be in any case.
 */
export function parseHttpAddress(url: string): ParsedAddress {
  if (url.length > urlLengthMax) return { ok: false, reason: "url-too-long" };
  const bad: ParsedAddress = { ok: false, reason: "bad-url" };
  const start = partsAtStart(url, [[letters, 4, 5], "://"]);
  const scheme = start?.parts[0]?.toLowerCase();
  if (start === null || (scheme !== "http" && scheme !== "https")) return bad;
  const isSecure = scheme === "https";
  let rest = url.slice(start.length);
  if (rest.startsWith("[")) return { ok: false, reason: "url-ipv6" };
  const authority = partsAtStart(rest, [["A-Za-z0-9._-", 1, hostLengthMax]]);
  if (authority === null) return bad;
  const host = (authority.parts[0] ?? "").toLowerCase();
  if (!hasLabels(host)) return bad;
  rest = rest.slice(authority.length);
  const given = partsAtStart(rest, [":", [digits, 1, 5]]);
  if (given !== null) rest = rest.slice(given.length);
  else if (rest === ":" || rest.startsWith(":/")) rest = rest.slice(1); // RFC 3986, 3.2.3
  const port = given === null ? (isSecure ? 443 : 80) : Number(given.parts[0]);
  const path = rest === "" || rest.startsWith("?") ? `/${rest}` : rest;
  if (!path.startsWith("/") || !isOf(path, '!-"$-~', 1, path.length)) return bad;
  if (port < 1 || port > 65_535) return bad;
  return { ok: true, isSecure, host, port, path };
}

/** The longest name that the DNS has, and the longest of its parts (RFC 1035, 2.3.4). */
const hostLengthMax = 253;
const labelLengthMax = 63;

/** No other name is found, whoever is asked. A dot at the end is the root's. */
function hasLabels(host: string): boolean {
  const labels = host.split(".");
  if (labels.length > 1 && labels.at(-1) === "") labels.pop();
  return labels.every(({ length }) => length > 0 && length <= labelLengthMax);
}
