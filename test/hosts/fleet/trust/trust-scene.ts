import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { isSignatureBy, type Signer } from "../../../../hosts/release/keys/signer.ts";
import { fileOf, type TrustDocument } from "../../../../hosts/release/trust/document.ts";
import { fileNameOf, type TrustRepository } from "../../../../hosts/release/trust/repository.ts";
import { directorPayload, parseDirectorSigned } from "../../../../src/trust/director-document.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { signedRepository, trustKeys } from "../../../support/trust-repository.ts";
import { TestFleet } from "../test-fleet.ts";

export const nowUnixMs = 1_800_000_000_000;
export const hour = 3_600_000;
export const day = 24 * hour;
export const [online] = trustKeys.online;
export const release = { version: "1.1.0", hardware: "esp32c3-b" };

/** A fleet with its folder, and a release machine with one release. */
export async function places(context: TestContext, onlineSigner: Signer | null = online) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-trust-"));
  const fleet = await TestFleet.open(context, { trust: { folder, onlineSigner } });
  // After the server, which writes its log at the end.
  context.after(() => rmSync(folder, { recursive: true }));
  const repository = await signedRepository(temporaryFolder(context), nowUnixMs, [release]);
  return { folder, fleet, repository };
}

export function documentsOf(repository: TrustRepository): Record<string, string> {
  const roles = ["targets", ...repository.delegatedRoles];
  const current = roles.map((role) => repository.current(role)).filter((one) => one !== null);
  const all: readonly TrustDocument[] = [...repository.roots, ...current];
  return Object.fromEntries(all.map((one) => [fileNameOf(one), fileOf(one).toString()]));
}

export const post = (
  fleet: TestFleet,
  documents: Record<string, string>,
): ReturnType<TestFleet["inject"]> =>
  fleet.inject({ method: "POST", url: "/api/v1/trust/metadata", payload: { documents } });

/** Sends the files that the server asks for, then the metadata. */
export async function publish(fleet: TestFleet, repository: TrustRepository): Promise<void> {
  const documents = documentsOf(repository);
  const first = await post(fleet, documents);
  if (first.statusCode === 200) return;
  assert.equal(first.json().error, "targets-missing", first.body);
  for (const { name, sha256 } of first.json().missing) {
    const sent = await fleet.inject({
      method: "POST",
      url: `/api/v1/trust/targets?sha256=${sha256}`,
      headers: { "content-type": "application/octet-stream" },
      payload: repository.target(name, sha256) ?? Buffer.alloc(0),
    });
    assert.equal(sent.statusCode, 204, sent.body);
  }
  const second = await post(fleet, documents);
  assert.equal(second.statusCode, 200, second.body);
}

export const get = (
  fleet: TestFleet,
  file: string,
  headers: Record<string, string> = {},
): ReturnType<TestFleet["inject"]> =>
  fleet.inject({ method: "GET", url: `/DEFAULT/tuf/${file}`, headers: { host: "x", ...headers } });

export const nonce = "00112233445566778899aabbccddeeff";

export async function directorOf(
  fleet: TestFleet,
  device: Awaited<ReturnType<TestFleet["addDevice"]>>,
  timeUnixMs = fleet.nowUnixMs,
) {
  const answer = await device.request("GET", `director?nonce=${nonce}`);
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal(answer.headers["cache-control"], "no-store");
  const { signed, signatures } = JSON.parse(answer.body);
  const parsed = parseDirectorSigned(signed);
  assert.ok(parsed.ok);
  const digest = createHash("sha256").update(directorPayload(parsed.value)).digest();
  const [{ keyid, sig }] = signatures;
  assert.equal(keyid, online.keyId);
  assert.ok(isSignatureBy(online.publicKey, digest, Buffer.from(sig, "hex")));
  assert.equal(parsed.value.timeUnixMs, timeUnixMs);
  return parsed.value;
}
