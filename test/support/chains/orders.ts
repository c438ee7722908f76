import { objectIds } from "../../../hosts/release/certificates.ts";
import { certificate, expired, otherAuthority, authority as root } from "../tls.ts";
import {
  again,
  between,
  by,
  notAuthority,
  purposes,
  rootAgain,
  rootOf,
  tomorrow,
  unknown,
} from "./authorities.ts";
import { type ChainCase, differences, different, good, refused } from "./chain-case.ts";

const leaf = certificate();
const mid = between("mid");
const low = between("low", { issuer: mid });
const lower = between("lower", { issuer: low });
const lowest = between("lowest", { issuer: lower });
const ofMid = by(mid);
const ofLow = by(low);
const ofLowest = by(lowest);
const strangers = ["a", "b", "c", "d", "e", "f"].map((name) => rootOf(`stranger ${name}`));

const oldRoot = rootAgain(root, expired);
const futureRoot = rootAgain(root, tomorrow);
const otherMid = between("mid", { issuer: root });
const expiredMid = again(mid, expired);
const futureMid = again(mid, tomorrow);
const crossMid = again(mid, { issuer: otherAuthority });
const newRoot = rootOf("new root");
const newRootByOld = again(newRoot, { issuer: root });
const renamedMid = between("renamed", { privateKey: mid.privateKey });

const loop = between("loop");
const loopBack = again(loop, { issuer: loop });

const unknownMid = again(mid, { extensions: [unknown(true)] });
const notYetAuthority = again(mid, { extensions: [notAuthority] });
const clientMid = again(mid, { extensions: [purposes(objectIds.client)] });
/** In which order certificates come, with what among them, and which of several is taken. */
export const orders: readonly ChainCase[] = [
  good("the server's own alone", [leaf]),
  good("the root sent along", [leaf, root]),
  good("a path in order", [ofLow, low, mid]),
  good("a path in the wrong order", [ofLow, mid, low]),
  good("the root before an authority between", [ofMid, root, mid]),
  good("five certificates in order", [ofLowest, lowest, lower, low, mid]),
  good("five certificates from the last to the first", [ofLowest, mid, low, lower, lowest]),
  good("five certificates and the root, mixed", [ofLowest, low, root, lowest, mid, lower]),
  good("others before and behind", [ofMid, strangers[0]!, mid, otherAuthority, strangers[1]!]),
  good("ten certificates, the path among strangers", [
    ...[ofLowest, ...strangers.slice(0, 5), mid, low, lower, lowest],
  ]),
  good("each certificate twice", [ofMid, mid, ofMid, mid, root, root]),
  different(
    "authorities that vouch for each other",
    [by(loop), loopBack, loop, loopBack],
    ["SELF_SIGNED_CERT_IN_CHAIN", "good"],
    differences.onePath,
  ),
  different(
    "eleven certificates",
    [ofLowest, ...strangers, mid, low, lower, lowest],
    ["good", "handshake-too-large"],
    differences.tooLarge,
  ),
  different(
    "certificates of more than 8 KiB",
    [leaf, ...[1, 2, 3].map((n) => rootOf("x".repeat(1500) + n)), root],
    ["good", "handshake-too-large"],
    differences.tooLarge,
  ),
];

export const renewals: readonly ChainCase[] = [
  good("an authority renewed with its key, the old one enrolled first", [leaf], {
    enrolled: [oldRoot, root],
  }),
  good("an authority renewed with its key, the new one enrolled first", [leaf], {
    enrolled: [root, oldRoot],
  }),
  good("the old authority sent along", [leaf, oldRoot]),
  good("the authority of tomorrow enrolled first", [leaf], { enrolled: [futureRoot, root] }),
  good("two authorities of one name and two keys", [leaf], { enrolled: [otherAuthority, root] }),
  good("two authorities of one name, for the other", [by(otherAuthority)], {
    enrolled: [root, otherAuthority],
  }),
  good("four enrolled, the right one last", [ofLow, mid, low], {
    enrolled: [oldRoot, otherAuthority, strangers[0]!, root],
  }),
  good("an authority between renewed with its key, the expired one first", [
    ...[ofMid, expiredMid, mid],
  ]),
  good("an authority between that begins tomorrow first", [ofMid, futureMid, mid]),
  good("two authorities between of one name and two keys", [ofMid, otherMid, mid]),
  good("an authority between by two names, the other first", [ofMid, renamedMid, mid]),
  different(
    "an authority between signed by two roots, the strange one first",
    [ofMid, crossMid, mid],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "good"],
    differences.onePath,
  ),
  different(
    "an authority between signed by two roots, for the other",
    [ofMid, mid, crossMid],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "good"],
    differences.onePath,
    { enrolled: [otherAuthority] },
  ),
  good("a new root that the old one signed", [by(newRoot), newRootByOld]),
  different(
    "a new root and the same that the old one signed",
    [by(newRoot), newRoot, newRootByOld],
    ["SELF_SIGNED_CERT_IN_CHAIN", "good"],
    differences.onePath,
  ),
  different(
    "an authority with a wish that nobody knows, beside one without",
    [ofMid, unknownMid, mid],
    ["UNSPECIFIED", "good"],
    differences.onePath,
  ),
  different(
    "a certificate that is no authority's, beside the authority's",
    [ofMid, notYetAuthority, mid],
    ["INVALID_PURPOSE", "good"],
    differences.onePath,
  ),
  different(
    "an authority for clients beside one for everything",
    [ofMid, clientMid, mid],
    ["INVALID_PURPOSE", "good"],
    differences.onePath,
  ),
  refused(
    "a renewed authority that is not enrolled",
    [leaf, root],
    ["CERT_HAS_EXPIRED", "certificate-expired"],
    { enrolled: [oldRoot] },
  ),
  refused(
    "an authority of yesterday and of tomorrow",
    [leaf],
    ["CERT_NOT_YET_VALID", "certificate-not-yet-valid"],
    { enrolled: [oldRoot, futureRoot] },
  ),
  refused(
    "an authority of tomorrow and of yesterday",
    [leaf],
    ["CERT_NOT_YET_VALID", "certificate-not-yet-valid"],
    { enrolled: [futureRoot, oldRoot] },
  ),
];
