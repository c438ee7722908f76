import type { Signer } from "../keys/signer.ts";
import { isSignatureBy, pointOfPem, sha256, signatureFromAnswer } from "../keys/signer.ts";
import {
  isSignedFor,
  payloadOf,
  type RoleJson,
  type RootDocument,
  type TargetsDocument,
  type TrustDocument,
  withSignature,
} from "./document.ts";
import type { TrustRepository } from "./repository.ts";

/** What one signature brought about. */
export interface SignedDraft {
  readonly role: string;
  readonly version: number;
  readonly signatures: number;
  /** The draft has all the signatures that it needs, and counts from now on. */
  readonly isPublished: boolean;
}

/** The keys that may sign a draft, and how many of them must. */
export function rolesFor(
  repository: TrustRepository,
  document: TrustDocument,
): readonly RoleJson[] {
  const { role } = document;
  if (role === "root") {
    // Clause 5.3.4: the threshold of the root before it, and its own.
    const before = repository.root?.signed.roles.root;
    const own = (document as RootDocument).signed.roles.root;
    return before === undefined ? [own] : [before, own];
  }
  const root = (repository.draft("root") ?? repository.root) as RootDocument | null;
  if (role === "targets") return root === null ? [] : [root.signed.roles.targets];
  const top = (repository.draft("targets") ?? repository.targets) as TargetsDocument | null;
  return top?.signed.delegations?.roles.filter(({ name }) => name === role) ?? [];
}

/** May this key sign the draft? */
export function maySign(
  repository: TrustRepository,
  document: TrustDocument,
  keyId: string,
): boolean {
  return rolesFor(repository, document).some(({ keyids }) => keyids.includes(keyId));
}

/** Signs a draft with one key and lets it count when that was the last signature that it needed. */
export async function signDraft(
  repository: TrustRepository,
  draft: TrustDocument,
  signer: Signer,
): Promise<void> {
  const signature = await signer.sign(sha256(payloadOf(draft)));
  repository.putDraft(withSignature(draft, signer.keyId, signature));
}

/** Publishes every draft that has the signatures that it needs, the root first. */
export function publishReady(repository: TrustRepository): readonly SignedDraft[] {
  const told: SignedDraft[] = [];
  for (const draft of repository.drafts) {
    const isPublished = isReady(repository, draft);
    if (isPublished) repository.publish(draft);
    const signatures = draft.signatures.length;
    told.push({ role: draft.role, version: draft.signed.version, signatures, isPublished });
  }
  return told;
}

/** Whose signature over the payload is this? Null when it is by no key that may sign the draft. */
export function signatureOf(
  repository: TrustRepository,
  draft: TrustDocument,
  answer: Uint8Array,
): { readonly keyId: string; readonly signature: Uint8Array } | null {
  const signature = signatureFromAnswer(answer);
  if (signature === null) return null;
  const digest = sha256(payloadOf(draft));
  for (const keyId of new Set(rolesFor(repository, draft).flatMap(({ keyids }) => keyids))) {
    const point = pointOfPem(publicPem(repository, keyId) ?? "");
    if (point !== null && isSignatureBy(point, digest, signature)) return { keyId, signature };
  }
  return null;
}

function publicPem(repository: TrustRepository, keyId: string): string | null {
  const documents = [repository.draft("root"), repository.root] as (RootDocument | null)[];
  for (const document of documents) {
    const pem = document?.signed.keys[keyId]?.keyval.public;
    if (pem !== undefined) return pem;
  }
  return null;
}

function isReady(repository: TrustRepository, draft: TrustDocument): boolean {
  const { role } = draft;
  const { root } = repository;
  if (role === "root") {
    const isOwn = isSignedFor(draft, "root", draft);
    return isOwn && (root === null || isSignedFor(root, "root", draft));
  }
  if (role === "targets") return root !== null && isSignedFor(root, "targets", draft);
  const top = repository.targets;
  // A draft of the targets may change who signs this role: it has to count first.
  if (top === null || repository.draft("targets") !== null) return false;
  return isSignedFor(top, role, draft);
}
