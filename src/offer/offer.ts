import type { DigestHex } from "../protocol/digest.ts";

/** A server offers the file under one action, and hears under its id how it went. */
export interface ServerSource {
  readonly by: "server";
  readonly actionId: string;
  readonly url: string;
}

/** Who offers a file, and where it is read: the one part of an offer that differs by its way. */
export type OfferSource = ServerSource;

/** An image that is offered to this device. */
export interface Offer {
  readonly source: OfferSource;
  readonly version: string;
  /** SHA-256 of the file that travels. */
  readonly fileHash: DigestHex;
  readonly fileBytes: number;
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

/** The same file for the same order; only its address may have changed. */
export function isSameOffer(a: Offer | null, b: Offer | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    isSameOrder(a.source, b.source) && a.fileHash === b.fileHash && a.fileBytes === b.fileBytes
  );
}

function isSameOrder(a: OfferSource, b: OfferSource): boolean {
  return a.actionId === b.actionId;
}

/** Null while the hash of the image is not known. */
export function accepted(offer: Offer): AcceptedOffer | null {
  if (offer.imageHash === null) return null;
  return { overridesWindows: false, ...offer, imageHash: offer.imageHash };
}
