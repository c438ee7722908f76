import assert from "node:assert/strict";
import { type Signer, tufKeyId } from "../../hosts/release/keys/signer.ts";
import { initialize } from "../../hosts/release/trust/changes.ts";
import type { TargetsDocument } from "../../hosts/release/trust/document.ts";
import { signOnline } from "../../hosts/release/trust/online.ts";
import { addRelease } from "../../hosts/release/trust/releases.ts";
import { lifeDaysDefault, TrustRepository } from "../../hosts/release/trust/repository.ts";
import { maySign, publishReady, signDraft } from "../../hosts/release/trust/signing.ts";
import { type TrustSet, verifyTrust } from "../../hosts/release/trust/verify.ts";
import { parseVersion } from "../../src/image/version.ts";
import { plainImage, writeImage } from "../../src/image/writer.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";
import { testSigner } from "./image-signer.ts";

/** A signer of metadata whose private key is a small number. */
export function metadataSigner(secret: number): Signer {
  const { publicKey, sign } = testSigner(secret);
  return { publicKey, sign, keyId: tufKeyId(publicKey), label: `key ${secret}` };
}

/** Three root keys of which two must sign, two targets keys of which one must, one online key. */
export const trustKeys = {
  root: [metadataSigner(11), metadataSigner(12), metadataSigner(13)],
  targets: [metadataSigner(21), metadataSigner(22)],
  online: [metadataSigner(31)],
} as const;

export const testImageSigner = testSigner(7);

/** A signed image with block hashes. */
export async function signedImage(
  version: string,
  hardware: string,
  securityCounter = 1,
): Promise<Uint8Array> {
  const parsed = parseVersion(version);
  assert.ok(parsed);
  const options = { ...plainImage, version: parsed, hardware, securityCounter, blockBytes: 4096 };
  const payload = new Uint8Array(9000).fill(securityCounter);
  const written = await writeImage(payload, options, nobleCrypto, [testImageSigner]);
  assert.ok(written.ok);
  return written.image;
}

export function openTrust(folder: string): TrustRepository {
  const opened = TrustRepository.open(folder);
  assert.ok(opened.ok, opened.ok ? "" : opened.message);
  return opened.repository;
}

/** Signs every draft with all the keys that may sign it. */
export async function signAll(
  repository: TrustRepository,
  signers: readonly Signer[] = [...trustKeys.root, ...trustKeys.targets],
): Promise<void> {
  for (const { role } of repository.drafts)
    for (const signer of signers) {
      const draft = repository.draft(role);
      if (draft !== null && maySign(repository, draft, signer.keyId))
        await signDraft(repository, draft, signer);
    }
  publishReady(repository);
}

export function trustSet(repository: TrustRepository): TrustSet {
  const delegated = new Map<string, TargetsDocument>();
  for (const role of repository.delegatedRoles) {
    const document = repository.current(role);
    if (document !== null) delegated.set(role, document as TargetsDocument);
  }
  return {
    roots: repository.roots,
    targets: repository.targets,
    delegated,
    snapshot: repository.current("snapshot"),
    timestamp: repository.current("timestamp"),
  };
}

/** Signs snapshot and timestamp where they are due. */
export async function signOnlineNow(
  repository: TrustRepository,
  now: number,
  options: { readonly signers?: readonly Signer[]; readonly toldUnixMs?: number } = {},
) {
  const { signers = trustKeys.online, toldUnixMs = now } = options;
  const { root, targets } = repository;
  assert.ok(root !== null && targets !== null);
  const set = { ...trustSet(repository), root, targets };
  const { lifeDays } = repository;
  const result = await signOnline(set, {
    signersFor: () => signers,
    now,
    lifeDays,
    always: false,
    toldUnixMs,
  });
  assert.ok(result.ok, result.ok ? "" : result.message);
  if (result.signed.includes("snapshot")) repository.publish(result.snapshot);
  if (result.signed.includes("timestamp")) repository.publish(result.timestamp);
  return result;
}

/** A repository with signed root and targets, and the given releases, all online-signed. */
export async function signedRepository(
  folder: string,
  now: number,
  releases: ReadonlyArray<{ readonly version: string; readonly hardware: string }> = [],
): Promise<TrustRepository> {
  const repository = openTrust(folder);
  const keys = trustKeys;
  const thresholds = { root: 2, targets: 1, online: 1 };
  const made = initialize(repository, { keys, thresholds, lifeDays: lifeDaysDefault, now });
  assert.ok(made.ok);
  await signAll(repository);
  for (const { version, hardware } of releases) {
    const images = [await signedImage(version, hardware)];
    const evidence = [{ name: "notes.md", bytes: new TextEncoder().encode(`# ${version}\n`) }];
    const added = addRelease(repository, { images, evidence, energy: null, now });
    assert.ok(added.ok, added.ok ? "" : added.message);
    await signAll(repository);
  }
  await signOnlineNow(repository, now);
  assert.deepEqual(verifyTrust(trustSet(repository), now).problems, []);
  return repository;
}
