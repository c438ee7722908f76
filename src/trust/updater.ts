import { StorageError } from "../ports/board.ts";
import { metadataAddress } from "./addresses.ts";
import { notFound, TargetSearch, type Visit } from "./delegation.ts";
import type { Snapshot, Timestamp } from "./metadata.ts";
import type { Fetched, MetadataSource } from "./metadata-source.ts";
import type { MetadataStore } from "./metadata-store.ts";
import { accepted, type Refused, refused, type Verdict } from "./refusal.ts";
import type { Role } from "./role.ts";
import { lostKey, type Root } from "./root.ts";
import type { TargetFile, Targets } from "./targets.ts";
import type { TrustRules } from "./trust-rules.ts";
import {
  acceptNextRoot,
  acceptTargets,
  acceptTrustedRoot,
  checkExpiry,
  judgeSnapshot,
  judgeTimestamp,
  readSnapshot,
  readTimestamp,
  snapshotCheck,
  targetsCheck,
  targetsMeta,
} from "./workflow.ts";

/** Top-level metadata that was found to be trusted and fresh at one moment. */
export interface TrustedMetadata {
  readonly root: Root;
  readonly timestamp: Timestamp;
  readonly snapshot: Snapshot;
  readonly targets: Targets;
  /** 5.1: all of it was judged at this time. */
  readonly startUnixMs: number;
}

export interface FoundTarget {
  readonly name: string;
  readonly file: TargetFile;
  readonly inRole: string;
}

/**
 * Fetches and stores what the workflow of TUF 1.0.34 (section 5) asks for, in its order, and lets
 * workflow.ts decide. Every file that was accepted stays stored when a later one is refused or the
 * power is cut; the next refresh goes on from there.
 */
export class TrustUpdater {
  readonly #source: MetadataSource;
  readonly #store: MetadataStore;
  readonly #rules: TrustRules;

  constructor(tools: {
    readonly source: MetadataSource;
    readonly store: MetadataStore;
    readonly rules: TrustRules;
  }) {
    this.#source = tools.source;
    this.#store = tools.store;
    this.#rules = tools.rules;
  }

  /** 5.2 and 5.3.1 to 5.3.9: follows the chain of roots to its end. Needs no time. */
  async updateRoot(): Promise<Verdict<Root>> {
    const trusted = this.#trustedRoot();
    if (!trusted.ok) return trusted;
    let root = trusted.value;
    const { rootBytesMax, rootStepsMax } = this.#rules.limits;
    // 5.3.3: up to Y files.
    for (let step = 0; step < rootStepsMax; step += 1) {
      const address = metadataAddress("root", root.version + 1);
      const fetched = await this.#source.fetch(address, rootBytesMax);
      if (fetched.kind === "missing") break;
      if (fetched.kind === "failed") return about(address, fetched.refusal);
      const next = acceptNextRoot(root, fetched.body, this.#rules);
      if (!next.ok) return about(address, next);
      const failure = this.#persistRoot(root, next.value, fetched.body);
      if (failure !== null) return failure;
      root = next.value;
    }
    return accepted(root);
  }

  /** 5.3.10 to 5.6.6 at one fixed time. */
  async refresh(root: Root, startUnixMs: number): Promise<Verdict<TrustedMetadata>> {
    const expired = checkExpiry(root, startUnixMs);
    if (expired !== null) return about("root.json", expired);
    const timestamp = await this.#updateTimestamp(root, startUnixMs);
    if (!timestamp.ok) return about("timestamp.json", timestamp);
    const snapshot = await this.#updateSnapshot(root, timestamp.value, startUnixMs);
    if (!snapshot.ok) return about("snapshot.json", snapshot);
    const top = { root, timestamp: timestamp.value, snapshot: snapshot.value, startUnixMs };
    const targets = await this.#updateTargets({ name: "targets", role: root.targets }, top);
    return targets.ok ? accepted({ ...top, targets: targets.value }) : targets;
  }

  /** 5.6.7: looks for a target, fetching the delegated roles that the search leads to. */
  async find(trusted: TrustedMetadata, name: string): Promise<Verdict<FoundTarget>> {
    const { visitedRolesMax } = this.#rules.limits;
    const search = new TargetSearch({
      targetName: name,
      targets: trusted.root.targets,
      visitedRolesMax,
      crypto: this.#rules.crypto,
    });
    // 5.6.7.1: bounded by the search itself.
    for (let step = search.next(); step.kind !== "absent"; step = search.next()) {
      if (step.kind === "found") return accepted({ name, file: step.file, inRole: step.inRole });
      const { visit } = step;
      const targets =
        visit.name === "targets"
          ? accepted(trusted.targets)
          : await this.#updateTargets(visit, trusted);
      // 5.6.7: metadata that cannot be had ends the search.
      if (!targets.ok) return targets;
      search.provide(visit.name, targets.value);
    }
    return notFound(name);
  }

  /** By itself, so that the file is not kept while others are fetched. */
  #trustedRoot(): Verdict<Root> {
    const stored = this.#store.read("root");
    if (stored === null) return refused("no-trusted-root", "no root is stored");
    const trusted = acceptTrustedRoot(stored, this.#rules);
    return trusted.ok ? trusted : about("the stored root", trusted);
  }

  #trustedTimestamp(root: Root): Timestamp | null {
    const stored = this.#store.read("timestamp");
    const read = stored === null ? null : readTimestamp(stored, root, this.#rules);
    // What the root's keys did not sign was trusted under others: it says nothing any more.
    return read?.ok ? read.value : null;
  }

  async #updateTimestamp(root: Root, startUnixMs: number): Promise<Verdict<Timestamp>> {
    // 5.4.1
    const { timestampBytesMax } = this.#rules.limits;
    const address = metadataAddress("timestamp", null);
    const bytes = bodyOf(await this.#source.fetch(address, timestampBytesMax));
    if (!bytes.ok) return bytes;
    const trusted = this.#trustedTimestamp(root);
    const timestamp = readTimestamp(bytes.value, root, this.#rules);
    if (!timestamp.ok) return timestamp;
    const judged = judgeTimestamp(timestamp.value, trusted, startUnixMs);
    if (!judged.ok) return judged;
    if (judged.value === "known" && trusted !== null) return accepted(trusted);
    // 5.4.5
    return this.#persist("timestamp", bytes.value) ?? timestamp;
  }

  async #updateSnapshot(
    root: Root,
    timestamp: Timestamp,
    startUnixMs: number,
  ): Promise<Verdict<Snapshot>> {
    const known = this.#knownSnapshot(root, timestamp, startUnixMs);
    if (known !== null) return accepted(known);
    const meta = timestamp.snapshot;
    // 5.5.1
    const { bytesMax } = snapshotCheck(timestamp, this.#rules);
    const address = metadataAddress("snapshot", root.consistentSnapshot ? meta.version : null);
    const bytes = bodyOf(await this.#source.fetch(address, bytesMax));
    if (!bytes.ok) return bytes;
    // 5.5.2: the hashes, before anything is read.
    const foreign = snapshotCheck(timestamp, this.#rules).whole(bytes.value);
    if (foreign !== null) return foreign;
    const snapshot = readSnapshot(bytes.value, root, this.#rules);
    if (!snapshot.ok) return snapshot;
    const trusted = this.#trustedSnapshot(root)?.snapshot ?? null;
    const refusal = judgeSnapshot(snapshot.value, meta, trusted, startUnixMs);
    // 5.5.7
    return refusal ?? this.#persist("snapshot", bytes.value) ?? snapshot;
  }

  /**
   * Not kept while the next one is fetched: read anew then, which takes little time and no room.
   */
  #trustedSnapshot(root: Root): { readonly bytes: Uint8Array; readonly snapshot: Snapshot } | null {
    const bytes = this.#store.read("snapshot");
    const read = bytes === null ? null : readSnapshot(bytes, root, this.#rules);
    return bytes !== null && read?.ok ? { bytes, snapshot: read.value } : null;
  }

  /** The stored snapshot, where it is still the one that the timestamp means. */
  #knownSnapshot(root: Root, timestamp: Timestamp, startUnixMs: number): Snapshot | null {
    const trusted = this.#trustedSnapshot(root);
    if (trusted === null) return null;
    const { bytes, snapshot } = trusted;
    const isMeant =
      snapshotCheck(timestamp, this.#rules).whole(bytes) === null &&
      judgeSnapshot(snapshot, timestamp.snapshot, null, startUnixMs) === null;
    return isMeant ? snapshot : null;
  }

  /** 5.6.1 to 5.6.6, for the top-level role and for delegated ones. */
  async #updateTargets(
    visit: Visit,
    trusted: Omit<TrustedMetadata, "targets">,
  ): Promise<Verdict<Targets>> {
    const file = `${visit.name}.json`;
    const meta = targetsMeta(trusted.snapshot, visit.name);
    if (!meta.ok) return about(file, meta);
    const accept = (bytes: Uint8Array): Verdict<Targets> =>
      acceptTargets(bytes, visit.role, meta.value, trusted.startUnixMs, this.#rules);
    const known = this.#storedTargets(visit.name, accept);
    if (known?.ok) return known;
    const version = trusted.root.consistentSnapshot ? meta.value.version : null;
    const address = metadataAddress(visit.name, version);
    const { bytesMax } = targetsCheck(meta.value, this.#rules);
    const bytes = bodyOf(await this.#source.fetch(address, bytesMax));
    if (!bytes.ok) return about(file, bytes);
    const targets = accept(bytes.value);
    if (!targets.ok) return about(file, targets);
    // 5.6.6
    return this.#persist(visit.name, bytes.value) ?? targets;
  }

  #storedTargets(
    name: string,
    accept: (bytes: Uint8Array) => Verdict<Targets>,
  ): Verdict<Targets> | null {
    const stored = this.#store.read(name);
    return stored === null ? null : accept(stored);
  }

  /**
   * 5.3.8, and 5.3.11 before it: were the outdated timestamp and snapshot deleted afterwards, a cut
   * in between would keep them, and with them the versions that somebody ran far ahead.
   */
  #persistRoot(before: Root, after: Root, bytes: Uint8Array): Refused | null {
    const rotated = (role: (root: Root) => Role): boolean => lostKey(role(before), role(after));
    const recovers = rotated((root) => root.timestamp) || rotated((root) => root.snapshot);
    try {
      if (recovers) for (const name of ["timestamp", "snapshot"]) this.#store.delete(name);
    } catch (error) {
      return storageFailed("timestamp and snapshot", error);
    }
    return this.#persist("root", bytes);
  }

  #persist(roleName: string, bytes: Uint8Array): Refused | null {
    try {
      this.#store.write(roleName, bytes);
      return null;
    } catch (error) {
      return storageFailed(roleName, error);
    }
  }
}

/**
 * No method that waits itself: each async function that waits takes 39 slots of XS, and its stack.
 */
function bodyOf(fetched: Fetched): Verdict<Uint8Array> {
  if (fetched.kind === "found") return accepted(fetched.body);
  if (fetched.kind === "failed") return fetched.refusal;
  return refused("metadata-missing", "the server does not have it");
}

function storageFailed(what: string, error: unknown): Refused {
  if (!(error instanceof StorageError)) throw error;
  return refused("storage-error", `${what} cannot be stored: ${error.message}`);
}

function about(file: string, refusal: Refused): Refused {
  return refused(refusal.reason, `${file}: ${refusal.detail}`);
}
