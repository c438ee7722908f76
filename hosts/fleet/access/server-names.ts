import { isIP } from "node:net";

/** Host and port as a `Host` header has them. */
const hostPattern = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,254})(?::(\d{1,5}))?$/;

/**
 * The names by which people and programs may reach the page and the management API: loopback, the
 * address listened on, the address that a connection came in at, and the public URLs. Any port goes
 * with each name, as tunnels have their own.
 */
export class ServerNames {
  readonly #names = new Set(["localhost", "127.0.0.1", "::1"]);
  readonly #origins = new Set<string>();

  /** `urls` were read as such; `listenHost` may be an address, a name, or absent. */
  constructor(urls: readonly string[], listenHost?: string) {
    for (const url of urls) {
      const { hostname, origin } = new URL(url);
      this.#names.add(plainName(hostname));
      this.#origins.add(origin);
    }
    if (listenHost !== undefined && !isAnyAddress(listenHost))
      this.#names.add(plainName(listenHost));
  }

  /** Is this `Host` header one of the server? `localAddress` is where the connection came in. */
  has(host: string | undefined, localAddress: string | undefined): boolean {
    const name = hostPattern.exec(host ?? "")?.[1];
    if (name === undefined) return false;
    const plain = plainName(name);
    if (this.#names.has(plain)) return true;
    return localAddress !== undefined && isIP(plain) !== 0 && plain === plainName(localAddress);
  }

  /** Is this `Origin` the one of a page that the server itself gave out when asked by `host`? */
  isOrigin(origin: string, protocol: string, host: string): boolean {
    if (this.#origins.has(origin)) return true;
    const own = `${protocol}://${host}`;
    return URL.canParse(own) && new URL(own).origin === origin;
  }
}

/**
 * Lower case, without the dot that ends an absolute name, an IPv6 address without brackets and in
 * its shortest form, IPv4 as itself, also where it is written as IPv6.
 */
function plainName(name: string): string {
  const [address = ""] = name.replace(/^\[|\]$/g, "").split("%"); // the zone is this machine's
  const bare = address.toLowerCase();
  if (isIP(bare) !== 6) return bare.length > 1 ? bare.replace(/\.$/, "") : bare;
  const shortest = new URL(`http://[${bare}]/`).hostname.replace(/^\[|\]$/g, "");
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(shortest);
  if (mapped === null) return shortest;
  const [high, low] = mapped.slice(1).map((group) => Number.parseInt(group, 16)) as [
    number,
    number,
  ];
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}

function isAnyAddress(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::";
}
