import { directorRoleMember } from "../../../src/trust/director-document.ts";
import { type AuditLog, recordedSigner } from "../../release/keys/audit-log.ts";
import type { Signer } from "../../release/keys/signer.ts";
import {
  expiryOf,
  type RootDocument,
  type TargetsDocument,
  type TrustDocument,
} from "../../release/trust/document.ts";
import { type SignedSet, signOnline } from "../../release/trust/online.ts";
import { delegatedRolesOf, type TrustRepository } from "../../release/trust/repository.ts";
import { type FleetClock, Stopwatch } from "../time/clock.ts";
import type { DirectorTimes } from "./director-times.ts";
import type { NoticesOnce, TrustNotice } from "./notices.ts";

export interface OnlineScheduleParts {
  readonly repository: TrustRepository;
  /** The online keys; those sign that the newest root names. */
  readonly signers: readonly Signer[];
  readonly log: AuditLog;
  readonly clock: FleetClock;
  readonly notices: NoticesOnce;
  readonly times: DirectorTimes;
}

/**
 * What is new of the two; null where the one that is there stays, or where nothing can be signed.
 */
export interface SignedOnline {
  readonly snapshot: TrustDocument | null;
  readonly timestamp: TrustDocument | null;
  readonly notices: readonly TrustNotice[];
}

const nothingSigned: SignedOnline = { snapshot: null, timestamp: null, notices: [] };

/** After a signer failed. */
const retryEveryMs = 10_000;
/** A server that starts again and again does not sign each time, but when it has stayed so long. */
const renewAfterSeconds = 60;
/** How often expiry and what is due are looked at. */
const checkEveryMs = 60_000;

/** When the online key signs snapshot and timestamp anew, and what it signs then. */
export class OnlineSchedule {
  readonly #parts: OnlineScheduleParts;
  readonly #stopwatch: Stopwatch;
  #problem: string | null = null;
  #isRenewed = false;
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: OnlineScheduleParts) {
    this.#parts = parts;
    this.#stopwatch = new Stopwatch(parts.clock);
  }

  /** Why the newest documents are not signed online, in a sentence; or null. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Is it time to look again? The answer "yes" counts as the look. */
  startsLook(isSignerFailing: boolean): boolean {
    const passedMs = this.#stopwatch.passedMs();
    const everyMs = isSignerFailing ? retryEveryMs : checkEveryMs;
    if (passedMs - this.#checkedAtMs < everyMs) return false;
    this.#checkedAtMs = passedMs;
    return true;
  }

  /**
   * Signs what is due over what is in the repository and these new documents; publishes nothing.
   */
  async sign(fresh: readonly TrustDocument[]): Promise<SignedOnline> {
    const { repository, signers, log, clock, notices } = this.#parts;
    const set = newestSet(repository, fresh);
    if (set === null) return nothingSigned;
    if (signers.length === 0) {
      this.#problem = "there is no online key; start the server with --online-key";
      return nothingSigned;
    }
    const { keyids } = set.root.signed.roles.timestamp;
    const named = signers.filter(({ keyId }) => keyids.includes(keyId));
    const signersFor = (purpose: string) =>
      named.map((signer) => recordedSigner(signer, log, purpose));
    const now = clock.unixMs();
    const { lifeDays } = repository;
    // What a backup brought back may be older than what devices have seen: once after a start, both
    // are signed anew, with versions made of the time.
    const versionMin = Math.floor(now / 1000);
    const isOld = (set.timestamp?.signed.version ?? 0) < versionMin - renewAfterSeconds;
    const always = !this.#isRenewed && isOld;
    const toldUnixMs = await this.#latestTold(set);
    const options = { signersFor, now, lifeDays, always, versionMin, toldUnixMs };
    const result = await signOnline(set, options);
    this.#problem = result.ok ? null : result.message;
    if (!result.ok) {
      const notice = { level: "warn", text: result.message, facts: {} } as const;
      return { ...nothingSigned, notices: notices.unlessLast("online", result.reason, notice) };
    }
    if (result.signed.length === 2) this.#isRenewed = true;
    notices.forget("online");
    const isNew = (role: "snapshot" | "timestamp"): boolean => result.signed.includes(role);
    return {
      snapshot: isNew("snapshot") ? result.snapshot : null,
      timestamp: isNew("timestamp") ? result.timestamp : null,
      notices: result.signed.map((role) => signedNotice(role, result[role])),
    };
  }

  /**
   * The latest time that a device was told. Devices that are ahead of what the offline keys signed
   * are left out: nothing here would be good for them.
   */
  async #latestTold({ root, targets, delegated }: SignedSet): Promise<number> {
    const offline = [root, targets, ...delegated.values()];
    const { keyids } = root.signed[directorRoleMember];
    return this.#parts.times.latest(keyids, offlineReach(offline));
  }
}

/**
 * Up to when some device finds signed by the offline keys what it needs: root and targets, and of
 * delegated roles the one that is good for longest, as each device needs its own alone.
 */
export function offlineReach(documents: readonly TrustDocument[]): number {
  const isOfAll = ({ role }: TrustDocument): boolean => role === "root" || role === "targets";
  const delegated = documents.filter((one) => !isOfAll(one)).map(expiryOf);
  const ofAll = documents.filter(isOfAll).map(expiryOf);
  return Math.min(...ofAll, delegated.length === 0 ? Infinity : Math.max(...delegated));
}

function signedNotice(role: string, { signed }: TrustDocument): TrustNotice {
  const { version, expires } = signed;
  const text = `signed ${role} version ${version}, valid to ${expires}`;
  return { level: "info", text, facts: { role, version } };
}

/** The newest document of each role, with the fresh ones among them; null before there are any. */
function newestSet(repository: TrustRepository, fresh: readonly TrustDocument[]): SignedSet | null {
  const newest = (role: string): TrustDocument | null =>
    fresh
      .filter((document) => document.role === role)
      .reduce<TrustDocument | null>(
        (best, one) => (best === null || one.signed.version > best.signed.version ? one : best),
        repository.current(role),
      );
  const root = newest("root") as RootDocument | null;
  const targets = newest("targets") as TargetsDocument | null;
  if (root === null || targets === null) return null;
  const delegated = new Map<string, TargetsDocument>();
  for (const role of delegatedRolesOf(targets)) {
    const document = newest(role);
    if (document !== null) delegated.set(role, document as TargetsDocument);
  }
  const [snapshot, timestamp] = [newest("snapshot"), newest("timestamp")];
  return { root, targets, delegated, snapshot, timestamp };
}
