import type { ReleaseFactsRefusal } from "../../../src/image/release-facts.ts";
import type { ImageRefusal } from "../../../src/image/verify.ts";

/** What each refusal of an image means, in one clause. */
export const refusalMeanings: Readonly<Record<ImageRefusal | ReleaseFactsRefusal, string>> = {
  "header-truncated": "it is shorter than the 32 bytes of a header",
  "header-erased": "it starts with erased flash",
  "header-magic": "it does not start with the magic of an image",
  "header-size": "its header says that it is smaller than 32 bytes",
  "non-bootable": "it is flagged as not bootable",
  "image-beyond-source": "its header says more bytes than there are",
  encrypted: "it is flagged as encrypted, which is not supported",
  compressed: "it is flagged as compressed, which is not supported",
  "tlv-area-truncated": "its TLVs reach beyond the end",
  "tlv-protected-size": "the size of its protected TLVs is not the one in the header",
  "tlv-magic": "there are no TLVs behind the payload",
  "tlv-overrun": "a TLV is longer than the area that holds it",
  "image-too-large": "it is larger than the bootloader takes",
  "tlv-not-allowed": "a TLV stands unprotected that must be protected",
  "hash-length": "its hash is not 32 bytes long",
  "hash-mismatch": "it is not what its hash says: changed or damaged",
  "hash-missing": "it has no SHA-256",
  "key-hash-length": "a key hash is longer than 32 bytes",
  "signature-length": "a signature is too long",
  "signature-untrusted": "no signature is by one of the given keys",
  "signature-invalid": "its signature does not sign its hash",
  "release-facts-too-large": "its release facts (TLV 0x00a3) are longer than 512 bytes",
  "release-facts-malformed": "its release facts (TLV 0x00a3) are no JSON object",
  "release-facts-value": "its release facts (TLV 0x00a3) have a value that they cannot have",
};
