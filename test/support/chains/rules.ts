import { generateKeyPairSync } from "node:crypto";
import { issueCertificate, nameOf, objectIds } from "../../../hosts/release/certificates.ts";
import { certificate, expired, otherAuthority, authority as root } from "../tls.ts";
import {
  again,
  anyPurpose,
  between,
  by,
  nameConstraints,
  noPurposes,
  notAuthority,
  noUsage,
  policies,
  purposes,
  rootOf,
  tomorrow,
  unknown,
  usage,
  valid,
} from "./authorities.ts";
import { type ChainCase, differences, different, good, refused } from "./chain-case.ts";

const mid = between("mid");
const low = between("low", { issuer: mid });
const ofMid = by(mid);
const ofLow = by(low);

const ownAuthority = issueCertificate({
  commonName: "alone",
  purpose: "server",
  hosts: ["fleet.test"],
  ...valid,
});
const leaf = certificate();
const expiredMid = again(mid, expired);
const bare = again(mid, { extensions: [usage(0x02)] });
const unknownMid = again(mid, { extensions: [unknown(true)] });
const notYetAuthority = again(mid, { extensions: [notAuthority] });
const clientMid = again(mid, { extensions: [purposes(objectIds.client)] });
const p384 = rootOf("Another curve", {
  privateKey: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
});

const rootOfNone = rootOf("narrow", { authoritiesBelowMax: 0 });
const narrowMid = between("narrow mid", { issuer: rootOfNone });
const ofOne = rootOf("one below", { authoritiesBelowMax: 1 });
const oneMid = between("one mid", { issuer: ofOne });
const oneMidAgain = again(oneMid, { issuer: oneMid });
const oneLow = between("one low", { issuer: oneMid });

const printable = rootOf("", { subject: nameOf("Fleet  One", 0x13) });
const utf8 = rootOf("", { subject: nameOf("fleet one"), privateKey: printable.privateKey });

const named = (...hosts: readonly string[]) => [certificate({ hosts })];

/** What a certificate must say of itself, and its issuers of themselves. */
export const rules: readonly ChainCase[] = [
  refused(
    "another authority",
    [by(otherAuthority), otherAuthority],
    ["SELF_SIGNED_CERT_IN_CHAIN", "certificate-untrusted"],
  ),
  refused(
    "no authority between",
    [ofLow, mid],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate-untrusted"],
  ),
  refused(
    "a good certificate behind a strange one",
    [by(otherAuthority), leaf, root],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate-untrusted"],
  ),
  refused(
    "a server's certificate as an authority",
    [by(leaf), leaf],
    ["UNSPECIFIED", "certificate-untrusted"],
  ),
  refused("expired", [certificate(expired)], ["CERT_HAS_EXPIRED", "certificate-expired"]),
  refused(
    "of tomorrow",
    [certificate(tomorrow)],
    ["CERT_NOT_YET_VALID", "certificate-not-yet-valid"],
  ),
  refused(
    "an expired authority between",
    [ofMid, expiredMid],
    ["CERT_HAS_EXPIRED", "certificate-expired"],
  ),
  good("an authority that may have none below, with none", [by(rootOfNone)], {
    enrolled: [rootOfNone],
  }),
  refused(
    "an authority that may have none below, with one",
    [by(narrowMid), narrowMid],
    ["PATH_LENGTH_EXCEEDED", "certificate-untrusted"],
    { enrolled: [rootOfNone] },
  ),
  different(
    "an authority that may have one below, which issued itself again",
    [by(oneMid), oneMidAgain, oneMid],
    ["SELF_SIGNED_CERT_IN_CHAIN", "good"],
    differences.onePath,
    { enrolled: [ofOne] },
  ),
  refused(
    "an authority that may have one below, with two",
    [by(oneLow), oneLow, oneMid],
    ["PATH_LENGTH_EXCEEDED", "certificate-untrusted"],
    { enrolled: [ofOne] },
  ),
  refused(
    "an authority that may not sign certificates",
    [ofMid, bare],
    ["UNSPECIFIED", "certificate-untrusted"],
  ),
  refused(
    "no authority by its constraints",
    [ofMid, notYetAuthority],
    ["INVALID_PURPOSE", "certificate-untrusted"],
  ),
  refused(
    "an authority for clients",
    [ofMid, clientMid],
    ["INVALID_PURPOSE", "certificate-purpose"],
  ),
  good("an authority for servers", [
    ofMid,
    again(mid, { extensions: [purposes(objectIds.server)] }),
  ]),
  good("for no purpose in particular", [certificate({ extensions: [noPurposes, noUsage] })]),
  refused(
    "for clients",
    [certificate({ purpose: "client" })],
    ["INVALID_PURPOSE", "certificate-purpose"],
  ),
  different(
    "for any purpose by name",
    [certificate({ extensions: [purposes(anyPurpose)] })],
    ["INVALID_PURPOSE", "good"],
    differences.anyPurpose,
  ),
  refused(
    "a wish that nobody knows",
    [certificate({ extensions: [unknown(true)] })],
    ["UNSPECIFIED", "certificate-malformed"],
  ),
  refused(
    "an authority between with a wish that nobody knows",
    [ofMid, unknownMid],
    ["UNSPECIFIED", "certificate-malformed"],
  ),
  good("an extension that nobody knows", [certificate({ extensions: [unknown(false)] })]),
  good("critical policies", [certificate({ extensions: [policies] })]),
  different(
    "name constraints that are kept",
    [ofMid, again(mid, { extensions: [nameConstraints] })],
    ["good", "certificate-malformed"],
    differences.nameConstraints,
  ),
  different(
    "an authority on another curve",
    [by(p384)],
    ["good", "certificate-malformed"],
    differences.otherKeys,
    { enrolled: [p384] },
  ),
  different(
    "an enrolled authority between",
    [ofMid],
    ["UNABLE_TO_GET_ISSUER_CERT", "good"],
    differences.enrolled,
    { enrolled: [mid] },
  ),
  different(
    "its own certificate enrolled",
    [ofMid],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "good"],
    differences.enrolled,
    { enrolled: [ofMid] },
  ),
  good("its own certificate enrolled, signed by itself", [ownAuthority], {
    enrolled: [ownAuthority],
  }),
  good("an authority's name in another string type and case", [by(utf8)], {
    enrolled: [printable],
  }),
];

/** Whom a certificate must name. */
export const names: readonly ChainCase[] = [
  good("a wildcard", named("*.test.example"), { serverName: "a.test.example" }),
  good("a part of a label", named("fl*t.test.example"), { serverName: "fleet.test.example" }),
  good("another case", named("FLEET.Test")),
  good("a dot at the end", named("fleet.test.")),
  good("a dot at the end of what is asked for", named("fleet.test"), { serverName: "fleet.test." }),
  good("an address", named("10.0.0.7"), { serverName: "10.0.0.7" }),
  refused("another name", named("other.test"), [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "certificate-name",
  ]),
  refused(
    "a wildcard for two labels",
    named("*.example.test"),
    ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate-name"],
    { serverName: "a.b.example.test" },
  ),
  refused("a wildcard right below the top", named("*.test"), [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "certificate-name",
  ]),
  refused(
    "another address",
    named("10.0.0.7"),
    ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate-name"],
    { serverName: "10.0.0.8" },
  ),
  refused(
    "an address as a name",
    named("fleet.test"),
    ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate-name"],
    { serverName: "10.0.0.8" },
  ),
  different(
    "a common name alone",
    [certificate({ commonName: "fleet.test", hosts: [] })],
    ["good", "certificate-name"],
    differences.commonName,
  ),
  different(
    "two hundred names",
    [
      certificate({
        hosts: [
          ...Array.from({ length: 200 }, (_, n) => `server-${n}.of.the.fleet.test`),
          "fleet.test",
        ],
      }),
    ],
    ["good", "certificate-malformed"],
    differences.tooLarge,
  ),
];
