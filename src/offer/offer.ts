import type { DigestHex } from "../protocol/digest.ts";

/** An image that the server offers to this device under one action. */
export interface Offer {
  readonly actionId: string;
  readonly version: string;
  /** SHA-256 of the file that the URL serves. */
  readonly fileHash: DigestHex;
  readonly fileBytes: number;
  readonly url: string;
  /** Known before the download from our own server; a plain hawkBit does not say. */
  readonly imageHash: DigestHex | null;
  /** An operator approved a release that needs it: another major version, or a breaking one. */
  readonly approved: boolean;
  /** The server wants it now; a release that is signed for it then overrides the windows. */
  readonly forced: boolean;
  /** An operator wants an image tried again that was rolled back here. */
  readonly retry: boolean;
}

/** An offer whose header and TLVs were read and found fit for this device. */
export interface AcceptedOffer extends Offer {
  /** The SHA-256 TLV of the image: what will run. */
  readonly imageHash: DigestHex;
  /** Signed as a security fix that a server may force outside the windows. */
  readonly overridesWindows: boolean;
}

/**
 * Stands in the journal for an address that is too long for it, in a form that earlier firmware
 * reads too: after a reset the next poll tells the address anew.
 */
export const addressNotKept = "http:///";

/** The same file under the same action; only its address may have changed. */
export function isSameOffer(a: Offer | null, b: Offer | null): boolean {
  if (a === null || b === null) return a === b;
  return a.actionId === b.actionId && a.fileHash === b.fileHash && a.fileBytes === b.fileBytes;
}

/** Null while the hash of the image is not known. */
export function accepted(offer: Offer): AcceptedOffer | null {
  if (offer.imageHash === null) return null;
  return { overridesWindows: false, ...offer, imageHash: offer.imageHash };
}
