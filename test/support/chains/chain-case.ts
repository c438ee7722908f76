import type { Identity } from "../../../hosts/release/certificates.ts";
import type { TlsRefusal } from "../../../src/tls/server-flight.ts";
import { authority as root } from "../tls.ts";

/** One server's chain, whom a device is enrolled with, and what node and the firmware say of it. */
export interface ChainCase {
  readonly name: string;
  /** As it is sent, the server's own first. */
  readonly sent: readonly Identity[];
  readonly enrolled: readonly Identity[];
  readonly serverName: string;
  /** `good`, or the code of node's error. */
  readonly node: string;
  readonly board: "good" | TlsRefusal;
  /** Where one takes the chain and the other does not: the line of docs/https.md that says why. */
  readonly differs: string | null;
}

/** Lines of docs/https.md, which has them with the reasons. */
export const differences = {
  tooLarge: "more than 10 certificates, 4,096 bytes of one, or 8,192 bytes of them",
  nameConstraints: "name constraints",
  otherKeys: "authorities of RSA keys or on other curves than P-256",
  commonName: "a common name without subjectAltName",
  enrolled: "an enrolled certificate that another authority issued",
  anyPurpose: "`anyExtendedKeyUsage` alone",
  onePath: "an issuer that only a second try finds",
} as const;

interface Changes {
  readonly enrolled?: readonly Identity[];
  readonly serverName?: string;
}

export function good(name: string, sent: readonly Identity[], changes: Changes = {}): ChainCase {
  return {
    name,
    sent,
    enrolled: [root],
    serverName: "fleet.test",
    node: "good",
    board: "good",
    differs: null,
    ...changes,
  };
}

export function refused(
  name: string,
  sent: readonly Identity[],
  [node, board]: readonly [string, TlsRefusal],
  changes: Changes = {},
): ChainCase {
  return { ...good(name, sent, changes), node, board };
}

/** What node takes and the board does not, or the other way round. */
export function different(
  name: string,
  sent: readonly Identity[],
  [node, board]: readonly [string, "good" | TlsRefusal],
  differs: string,
  changes: Changes = {},
): ChainCase {
  return { ...good(name, sent, changes), node, board, differs };
}
