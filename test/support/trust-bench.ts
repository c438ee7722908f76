import { DocumentStore } from "../../src/config/document-store.ts";
import type { KeyValue } from "../../src/ports/board.ts";
import { canonicalJson } from "../../src/trust/canonical-json.ts";
import {
  type DirectorDocument,
  encodeDirectorDocument,
  encodeDirectorSigned,
} from "../../src/trust/director-document.ts";
import { gateMemory, type OfferedFile, TrustGate } from "../../src/trust/gate.ts";
import type { Fetched, MetadataSource } from "../../src/trust/metadata-source.ts";
import { deviceMetadataStore } from "../../src/trust/metadata-store.ts";
import type { Verdict } from "../../src/trust/refusal.ts";
import {
  encodeReleaseCustom,
  plainRelease,
  type ReleaseTarget,
} from "../../src/trust/release-target.ts";
import { imageTargetName } from "../../src/trust/target-names.ts";
import { MemoryKeyValue } from "./memory-key-value.ts";
import {
  CountingCrypto,
  type Loose,
  now,
  signatureOf,
  type TestKey,
  TestRepository,
  testKey,
} from "./tuf-repository.ts";

export const deviceId = "device-1";
export const hardware = "esp32c3-b";
const hour = 3_600_000;

export interface TestRelease extends OfferedFile {
  readonly targetName: string;
  readonly securityCounter: number;
}

/** A release that the offline keys know: its hashes are made of its number. */
export function testRelease(number: number, securityCounter = 5): TestRelease {
  return {
    targetName: imageTargetName(hardware, { major: 1, minor: number, revision: 0, build: 0 }),
    fileHash: number.toString(16).padStart(2, "0").repeat(32),
    fileBytes: 1000 + number,
    imageHash: (number + 100).toString(16).repeat(32),
    securityCounter,
  };
}

/**
 * One device, the offline repository and the online director, at the level of the gate. Everything
 * that the server says may be falsified.
 */
export class TrustBench {
  readonly repository = new TestRepository();
  readonly keyValue: KeyValue;
  readonly crypto = new CountingCrypto();
  readonly releases: Loose;
  gate: TrustGate;
  /** What the director's clock says. */
  timeUnixMs = now;
  version = 1;
  assigned: TestRelease | null = null;
  directorKey: TestKey = testKey(7);
  /** Changes a document before it is signed, and its bytes afterwards. */
  falsify: (document: DirectorDocument) => DirectorDocument = (document) => document;
  answer: (bytes: Uint8Array, nonce: string) => Fetched = (body) => ({ kind: "found", body });
  readonly nonces: string[] = [];

  constructor(keyValue: KeyValue = new MemoryKeyValue()) {
    this.keyValue = keyValue;
    this.releases = this.repository.delegate(hardware);
    this.sign(testRelease(1));
    this.store().write("root", this.repository.file("1.root.json"));
    this.gate = this.restarted();
  }

  /** Lists a release with the offline keys, and refreshes the online roles. */
  sign(release: TestRelease, facts: Partial<ReleaseTarget> = {}): void {
    const custom = encodeReleaseCustom({
      ...plainRelease,
      imageHash: release.imageHash ?? "",
      version: { major: 1, minor: 2, revision: 0, build: 0 },
      hardware: [hardware],
      securityCounter: release.securityCounter,
      ...facts,
    });
    const hashes = { sha256: release.fileHash };
    this.releases.targets[release.targetName] = { length: release.fileBytes, hashes, custom };
    this.repository.publishNext(hardware, "targets", "snapshot", "timestamp");
  }

  /** The gate after a restart of the device. */
  restarted(memory = gateMemory()): TrustGate {
    this.gate = new TrustGate(
      {
        metadata: this.repository.source(),
        director: this.#director(),
        store: this.store(),
        keyValue: this.keyValue,
        random: { next: Math.random },
        crypto: this.crypto,
        heardTime() {},
        device: { deviceId, hardware },
      },
      memory,
    );
    return this.gate;
  }

  store(): ReturnType<typeof deviceMetadataStore> {
    return deviceMetadataStore(
      hardware,
      (name, options) => new DocumentStore(this.keyValue, name, options),
    );
  }

  /** The server offers this file, the director assigns `assigned`; "approved" or the reason. */
  async check(offer: TestRelease, securityCounter: number | null = 5): Promise<string> {
    const verdict: Verdict<unknown> = await this.gate.check(offer, { securityCounter });
    return verdict.ok ? "approved" : verdict.reason;
  }

  /** Both name this release, as an honest server does. */
  offer(release: TestRelease, securityCounter: number | null = 5): Promise<string> {
    this.assigned = release;
    return this.check(release, securityCounter);
  }

  document(nonce: string): DirectorDocument {
    const { assigned } = this;
    return {
      version: this.version,
      expiresUnixMs: this.timeUnixMs + hour,
      deviceId,
      hardware,
      nonce,
      timeUnixMs: this.timeUnixMs,
      assignment: assigned && {
        targetName: assigned.targetName,
        lengthBytes: assigned.fileBytes,
        sha256: assigned.fileHash,
        releaseCounter: assigned.securityCounter,
      },
    };
  }

  #director(): MetadataSource {
    return {
      fetch: async (address) => {
        const nonce = /^director\?nonce=([0-9a-f]{32})$/.exec(address)?.[1];
        if (nonce === undefined) throw new Error(`the device asked for ${address}`);
        this.nonces.push(nonce);
        const document = this.falsify(this.document(nonce));
        const payload = canonicalJson(encodeDirectorSigned(document));
        const sig = signatureOf(payload, this.directorKey);
        const bytes = encodeDirectorDocument(document, [{ keyid: this.directorKey.id, sig }]);
        return this.answer(bytes, nonce);
      },
    };
  }
}
