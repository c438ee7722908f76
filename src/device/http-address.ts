import { digits, isOf, partsAtStart } from "../image/text-parts.ts";

/** Where an address leads. */
export interface HttpAddress {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Null for anything that this device cannot ask: other schemes, users, fragments, IPv6. */
export function parseHttpAddress(url: string): HttpAddress | null {
  const isSecure = url.startsWith("https://");
  const authority = partsAtStart(url, [
    isSecure ? "https://" : "http://",
    ["A-Za-z0-9.-", 1, url.length],
  ]);
  if (authority === null) return null;
  const [host = ""] = authority.parts;
  let rest = url.slice(authority.length);
  const given = partsAtStart(rest, [":", [digits, 1, 5]]);
  if (given !== null) rest = rest.slice(given.length);
  const port = given === null ? (isSecure ? 443 : 80) : Number(given.parts[0]);
  const path = rest === "" ? "/" : rest;
  if (!path.startsWith("/") || !isOf(path, '!-"$-~', 1, path.length)) return null;
  if (port < 1 || port > 65_535) return null;
  return { isSecure, host, port, path };
}
