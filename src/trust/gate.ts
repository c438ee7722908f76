import { toHex } from "../image/hex.ts";
import { type KeyValue, type Random, StorageError } from "../ports/board.ts";
import { judgeDirector } from "./director.ts";
import {
  type Assignment,
  type DirectorDocument,
  directorBytesMax,
  nonceBytes,
} from "./director-document.ts";
import { DirectorMemory } from "./director-memory.ts";
import { deviceLimits } from "./limits.ts";
import type { MetadataSource } from "./metadata-source.ts";
import type { MetadataStore } from "./metadata-store.ts";
import { accepted, type Refused, refused, type TrustRefusal, type Verdict } from "./refusal.ts";
import { parseReleaseCustom, type ReleaseTarget } from "./release-target.ts";
import type { Root } from "./root.ts";
import { SignatureMemory } from "./signature-memory.ts";
import type { TrustCrypto } from "./trust-crypto.ts";
import type { TrustRules } from "./trust-rules.ts";
import { type FoundTarget, TrustUpdater } from "./updater.ts";

export interface GateTools {
  /** `/{tenant}/tuf/`. */
  readonly metadata: MetadataSource;
  /** `/{tenant}/controller/v1/{id}/`, where `director?nonce=` is. */
  readonly director: MetadataSource;
  readonly store: MetadataStore;
  readonly keyValue: KeyValue;
  readonly random: Random;
  readonly crypto: TrustCrypto;
  /** The director told the time, in an answer to the question that was asked just now. */
  heardTime(unixMs: number): void;
  readonly device: { readonly deviceId: string; readonly hardware: string };
}

/** What the fleet server offers. */
export interface OfferedFile {
  /** Lower-case hex. */
  readonly fileHash: string;
  readonly fileBytes: number;
  /** Null while it is not known. */
  readonly imageHash: string | null;
}

/** A release that the offline keys signed for this hardware and that the director chose. */
export interface ApprovedRelease {
  readonly release: ReleaseTarget;
  readonly targetName: string;
  /** The director's time, which never runs backwards. */
  readonly trustedUnixMs: number;
}

/** Roles of a steady device, and as many again for those that change. */
const rememberedFiles = 10;

/** For gates one after the other: a later one verifies nothing again that has not changed. */
export function gateMemory(): SignatureMemory {
  return new SignatureMemory({ entriesMax: rememberedFiles });
}

/**
 * The question that is asked before anything of an image is fetched: may this file be installed
 * here? One check at a time. A power cut leaves metadata that the next check goes on from.
 */
export class TrustGate {
  readonly #tools: GateTools;
  readonly #rules: TrustRules;
  readonly #updater: TrustUpdater;
  readonly #memory: DirectorMemory;

  constructor(tools: GateTools, memory: SignatureMemory = gateMemory()) {
    this.#tools = tools;
    this.#rules = { limits: deviceLimits, crypto: tools.crypto, memory };
    this.#updater = new TrustUpdater({
      source: tools.metadata,
      store: tools.store,
      rules: this.#rules,
    });
    this.#memory = new DirectorMemory(tools.keyValue);
  }

  /**
   * The chain of roots first, which needs no time; then the director, who tells it; then all else.
   * `securityCounter` is the running image's.
   */
  async check(
    offer: OfferedFile,
    running: { readonly securityCounter: number | null },
  ): Promise<Verdict<ApprovedRelease>> {
    const root = await this.#updater.updateRoot();
    if (!root.ok) return root;
    const answer = await this.#askDirector(root.value);
    if (!answer.ok) return answer;
    const { document, trustedUnixMs } = answer.value;
    const metadata = await this.#updater.refresh(root.value, trustedUnixMs);
    if (!metadata.ok) return metadata;
    const { assignment } = document;
    if (assignment === null)
      return refused("nothing-assigned", "the director assigns nothing to this device");
    const other = differsFromOffer(assignment, offer);
    if (other !== null) return other;
    const found = await this.#updater.find(metadata.value, assignment.targetName);
    if (!found.ok) return found;
    const release = this.#judged(found.value, assignment, offer, running.securityCounter ?? 0);
    const { targetName } = assignment;
    return release.ok ? accepted({ release: release.value, targetName, trustedUnixMs }) : release;
  }

  /** Asks the director for the time, which `heardTime` gets. */
  async askTime(): Promise<Verdict<null>> {
    const root = await this.#updater.updateRoot();
    if (!root.ok) return root;
    const answer = await this.#askDirector(root.value);
    return answer.ok ? accepted(null) : answer;
  }

  async #askDirector(
    root: Root,
  ): Promise<Verdict<{ readonly document: DirectorDocument; readonly trustedUnixMs: number }>> {
    const { director } = root;
    if (director === null)
      return refused("director-not-named", "the trusted root names no director");
    const nonce = this.#nonce();
    const fetched = await this.#tools.director.fetch(`director?nonce=${nonce}`, directorBytesMax);
    if (fetched.kind === "missing")
      return refused("metadata-missing", "the server has no director document");
    if (fetched.kind === "failed") return inDirector(fetched.refusal);
    const said = this.#memory.recall(director);
    const question = {
      ...this.#tools.device,
      director,
      nonce,
      versionMin: said.version,
      trustedUnixMs: said.trustedUnixMs,
    };
    const answer = judgeDirector(fetched.body, question, this.#rules);
    if (!answer.ok) return inDirector(answer);
    const { document, trustedUnixMs } = answer.value;
    this.#tools.heardTime(trustedUnixMs);
    try {
      this.#memory.keep(director, { version: document.version, trustedUnixMs });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return refused("storage-error", `the director's version cannot be kept: ${error.message}`);
    }
    return answer;
  }

  /**
   * Judges whether target and assignment name the same file, and whether what the offline keys say
   * of it suits this device.
   */
  #judged(
    found: FoundTarget,
    assignment: Assignment,
    offer: OfferedFile,
    counterMin: number,
  ): Verdict<ReleaseTarget> {
    const { file } = found;
    if (file.lengthBytes !== assignment.lengthBytes || file.hashes.get("sha256") !== offer.fileHash)
      return refused(
        "assignment-mismatch",
        `${found.name} is signed as another file than the director assigns`,
      );
    const read = parseReleaseCustom(file.custom ?? undefined);
    if (!read.ok) return read;
    const release = read.value;
    if (offer.imageHash !== null && release.imageHash !== offer.imageHash)
      return refused("offer-mismatch", `the signed image hash is ${release.imageHash}`);
    const { hardware } = this.#tools.device;
    if (!release.hardware.includes(hardware))
      return refused("hardware-mismatch", `signed for ${release.hardware.join(", ")}`);
    if (release.securityCounter !== assignment.releaseCounter)
      return refused(
        "assignment-mismatch",
        `the signed counter is ${release.securityCounter}, the director says ${assignment.releaseCounter}`,
      );
    if (release.securityCounter < counterMin)
      return refused("security-counter", `${release.securityCounter} after ${counterMin}`);
    return read;
  }

  #nonce(): string {
    const bytes = Uint8Array.from({ length: nonceBytes }, () =>
      Math.floor(this.#tools.random.next() * 256),
    );
    return toHex(bytes);
  }
}

/** Whether the check may end otherwise soon, without anything of ours having changed. */
export function isPassing(reason: TrustRefusal): boolean {
  return passing.includes(reason);
}

// What expired is renewed, what is missing comes, and a clock is set: nothing is installed until
// then.
const passing: readonly TrustRefusal[] = [
  "network",
  "server-error",
  // Nobody signed that it is missing: whatever stands on the way says it too.
  "metadata-missing",
  "expired",
  "director-expired",
  // A server that came back from a backup counts on.
  "director-rollback",
  "time-set-back",
  "response-malformed",
  "content-encoded",
  "storage-error",
];

function differsFromOffer(assignment: Assignment, offer: OfferedFile): Refused | null {
  if (assignment.sha256 === offer.fileHash && assignment.lengthBytes === offer.fileBytes)
    return null;
  return refused(
    "offer-mismatch",
    `the director assigns ${assignment.targetName} (${assignment.sha256}, ${assignment.lengthBytes} bytes)`,
  );
}

function inDirector(refusal: Refused): Refused {
  return refused(refusal.reason, `director document: ${refusal.detail}`);
}
