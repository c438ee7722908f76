/** Where an address leads. */
export interface HttpAddress {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Null for anything that this device cannot ask: other schemes, users, fragments, IPv6. */
export function parseHttpAddress(url: string): HttpAddress | null {
  const match = /^http(s?):\/\/([A-Za-z0-9.-]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/.exec(url);
  const [, secure, host, portText, path = "/"] = match ?? [];
  if (host === undefined) return null;
  const isSecure = secure === "s";
  const port = portText === undefined ? (isSecure ? 443 : 80) : Number(portText);
  if (port < 1 || port > 65_535) return null;
  return { isSecure, host, port, path };
}
