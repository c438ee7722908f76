import fc from "fast-check";
import {
  type Identity,
  issueCertificate,
  nameOf,
  objectIds,
} from "../../../hosts/release/certificates.ts";
import { expired } from "../tls.ts";
import { purposes, tomorrow, valid } from "./authorities.ts";

/** What a certificate was made of, for a reference that reads none. */
export interface MadeCertificate {
  readonly identity: Identity;
  readonly name: string;
  readonly key: number;
  readonly issuerName: string;
  readonly issuerKey: number;
  readonly fault: (typeof faults)[number];
  readonly isAuthority: boolean;
  readonly authoritiesBelowMax: number;
}

export interface RandomChain {
  readonly own: MadeCertificate;
  readonly sent: readonly MadeCertificate[];
  readonly enrolled: readonly MadeCertificate[];
}

/** From the mildest. */
export const faults = [
  "good",
  "certificate-not-yet-valid",
  "certificate-expired",
  "certificate-purpose",
] as const;

const names = ["A", "B"] as const;
const keys = [0, 1].map(
  () => issueCertificate({ commonName: "", purpose: "authority", ...valid }).privateKey,
);

const party = fc.record({
  name: fc.constantFrom(...names),
  key: fc.integer({ min: 0, max: keys.length - 1 }),
});
const mostly = <T>(usual: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, fc.constantFrom(...others));

const authority = fc
  .record({
    subject: party,
    issuer: fc.option(party, { freq: 3, nil: null }),
    fault: mostly<number>(0, 1, 2, 3),
    isAuthority: mostly(true, false),
    authoritiesBelowMax: mostly(Number.POSITIVE_INFINITY, 0, 1),
  })
  .map(({ subject, issuer, fault, isAuthority, authoritiesBelowMax }) =>
    made("authority", subject, issuer ?? subject, { fault, isAuthority, authoritiesBelowMax }),
  );

const server = fc
  .record({ issuer: party, fault: mostly<number>(0, 1, 2) })
  .map(({ issuer, fault }) =>
    made("server", { name: "server", key: 0 }, issuer, {
      fault,
      isAuthority: false,
      authoritiesBelowMax: Number.POSITIVE_INFINITY,
    }),
  );

/** Of few names and keys, so that many have the same; some issued themselves. */
export const randomChain: fc.Arbitrary<RandomChain> = fc.record({
  own: server,
  sent: fc.array(authority, { maxLength: 5 }),
  enrolled: fc.array(authority, { minLength: 1, maxLength: 3 }),
});

/** The authority that issued a certificate, signed by itself, and good. */
export function rootFor({ issuerName: name, issuerKey: key }: MadeCertificate): MadeCertificate {
  const says = { fault: 0, isAuthority: true, authoritiesBelowMax: Number.POSITIVE_INFINITY };
  return made("authority", { name, key }, { name, key }, says);
}

interface Party {
  readonly name: string;
  readonly key: number;
}

function made(
  purpose: "server" | "authority",
  subject: Party,
  issuer: Party,
  says: { fault: number; isAuthority: boolean; authoritiesBelowMax: number },
): MadeCertificate {
  const issuedBy: Identity = {
    certificate: new Uint8Array(0), // nobody looks at it
    privateKey: keys[issuer.key]!,
    subject: nameOf(issuer.name),
  };
  const isNarrow = says.isAuthority && Number.isFinite(says.authoritiesBelowMax);
  const identity = issueCertificate({
    commonName: subject.name,
    purpose: purpose === "authority" && !says.isAuthority ? "server" : purpose,
    privateKey: keys[subject.key]!,
    issuer: issuedBy,
    hosts: ["fleet.test"],
    ...(isNarrow && { authoritiesBelowMax: says.authoritiesBelowMax }),
    ...(says.fault === 3 && { extensions: [purposes(objectIds.client)] }),
    ...[valid, tomorrow, expired, valid][says.fault]!,
  });
  const { isAuthority, authoritiesBelowMax } = says;
  return {
    identity,
    name: subject.name,
    key: subject.key,
    issuerName: issuer.name,
    issuerKey: issuer.key,
    fault: faults[says.fault]!,
    isAuthority,
    authoritiesBelowMax,
  };
}

/** Looks at every path there is, one by one, and takes the mildest fault of one. */
export function verdictOfAllPaths({ own, sent, enrolled }: RandomChain): string {
  let mildest: number = faults.length;
  const candidates = [...enrolled, ...sent];
  const follow = (path: readonly MadeCertificate[]): void => {
    const last = path.at(-1)!;
    const between = path.slice(1).filter(({ name, issuerName }) => name !== issuerName).length;
    for (const issuer of candidates) {
      if (path.includes(issuer) || !issuer.isAuthority) continue;
      if (issuer.name !== last.issuerName || issuer.key !== last.issuerKey) continue;
      if (between > issuer.authoritiesBelowMax) continue;
      const longer = [...path, issuer];
      const worst = Math.max(...longer.map(({ fault }) => faults.indexOf(fault)));
      if (enrolled.includes(issuer)) mildest = Math.min(mildest, worst);
      else follow(longer);
    }
  };
  follow([own]);
  return faults[mildest] ?? "certificate-untrusted";
}
