import { parseVersion } from "../../../src/image/version.ts";
import { type Assignment, directorRoleMember } from "../../../src/trust/director-document.ts";
import { imageTargetName } from "../../../src/trust/target-names.ts";
import { AuditLogError } from "../../release/keys/audit-end.ts";
import type { AuditUse } from "../../release/keys/audit-entry.ts";
import { AuditLog, usesPerEntryMax } from "../../release/keys/audit-log.ts";
import { type Signer, SignerError } from "../../release/keys/signer.ts";
import {
  fileOf,
  type TargetJson,
  type TargetsDocument,
  type TrustDocument,
} from "../../release/trust/document.ts";
import { describeExpiry, type Expiry, expiryLevel } from "../../release/trust/expiry.ts";
import { hashedName, type LifeDays, TrustRepository } from "../../release/trust/repository.ts";
import type { TrustReport } from "../../release/trust/verify.ts";
import { Thread } from "../../threads/thread.ts";
import { DatabaseRefusedError } from "../storage/sqlite/database-check.ts";
import type { FleetClock } from "../time/clock.ts";
import { Turns } from "../time/turns.ts";
import { type AcceptResult, type IncomingDocuments, type Judges, judgeIncoming } from "./accept.ts";
import { auditLogProblem, auditLogText } from "./audit-log-check.ts";
import { type DirectorQuestion, directorAnswer } from "./director.ts";
import { type DevicesAhead, type DirectorTimes, describeAhead } from "./director-times.ts";
import { NoticesOnce, type TrustNotice } from "./notices.ts";
import { OnlineSchedule, offlineReach } from "./online-schedule.ts";
import type { VerifyQuestion } from "./verify-thread.ts";

export interface FleetTrustOptions {
  /** Signed metadata and the audit log. */
  readonly folder: string;
  /** The online key; without it nothing is signed anew, and no device gets a director document. */
  readonly onlineSigner: Signer | null;
  /** The successors and predecessors of the online key: those sign that the newest root names. */
  readonly moreOnlineSigners?: readonly Signer[];
}

export interface TrustProblem {
  readonly reason:
    | "metadata-missing"
    | "metadata-older"
    | "metadata-unsigned"
    | "metadata-expired"
    | "signer-failing"
    | "audit-log-failing";
  readonly message: string;
}

/** A key behind a command or in a token is one program for each signature. */
const signingBounds = { atOnceMax: 8, waitingMax: 256 } as const;
/** Uses of the online key that wait for the audit log; more are written at once. */
const usesMax = 4096;

/** What signed targets are asked about: the file of a release, as the fleet has it. */
export interface PublishedFile {
  readonly version: string;
  readonly fileHash: string;
  readonly fileBytes: number;
  readonly securityCounter: number | null;
}

/**
 * What the server knows of signed metadata: it takes what the offline keys signed, keeps snapshot
 * and timestamp fresh with the online key, and signs director documents. It never signs what a
 * device may install. Every document is on the disk before it is served.
 */
export class FleetTrust {
  readonly #repository: TrustRepository;
  readonly #signers: readonly Signer[];
  readonly #log: AuditLog;
  readonly #clock: FleetClock;
  readonly #times: DirectorTimes;
  readonly #schedule: OnlineSchedule;
  readonly #files = new Map<string, Buffer>();
  readonly #once = new NoticesOnce();
  readonly #signing = new Turns("questions to the director", signingBounds);
  readonly #verifier = new Thread<VerifyQuestion, TrustReport>(
    new URL("./verify-thread.ts", import.meta.url),
    "checks signed metadata",
  );
  #targets = new Map<string, TargetJson>();
  #served: ReadonlyMap<string, number> = new Map();
  #uses: { readonly signer: Signer; readonly use: AuditUse }[] = [];
  #notices: TrustNotice[] = [];
  #ahead: DevicesAhead | null = null;
  #signerProblem: string | null = null;
  #logProblem: string | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** Throws `DatabaseRefusedError` when the folder holds something else. */
  constructor(options: FleetTrustOptions, clock: FleetClock, times: DirectorTimes) {
    const opened = TrustRepository.open(options.folder);
    if (!opened.ok) throw new DatabaseRefusedError(opened.message);
    this.#repository = opened.repository;
    const { onlineSigner, moreOnlineSigners = [] } = options;
    this.#signers = onlineSigner === null ? [] : [onlineSigner, ...moreOnlineSigners];
    this.#clock = clock;
    this.#times = times;
    this.#log = new AuditLog(`${options.folder}/audit.jsonl`, () => clock.unixMs());
    this.#schedule = new OnlineSchedule({
      repository: this.#repository,
      signers: this.#signers,
      log: this.#log,
      clock,
      notices: this.#once,
      times,
    });
    this.#index();
  }

  /** A file of metadata as clients ask for it; null when there is none of that name. */
  file(name: string): { readonly bytes: Buffer; readonly isImmutable: boolean } | null {
    const known = this.#files.get(name);
    if (known !== undefined) return { bytes: known, isImmutable: name !== "timestamp.json" };
    const [, version, role = ""] =
      /^(?:(\d{1,10})\.)?([a-z0-9][a-z0-9._-]{0,63})\.json$/.exec(name) ?? [];
    const document =
      version === undefined
        ? role === "timestamp" && this.#repository.current("timestamp")
        : this.#repository.at(role, Number(version));
    if (!document) return null;
    const bytes = fileOf(document);
    this.#files.set(name, bytes);
    return { bytes, isImmutable: version !== undefined };
  }

  /** The target behind `esp32c3-b/HASH.1.2.3.img`, with its hash. */
  target(address: string): TargetJson | null {
    return this.#targets.get(address) ?? null;
  }

  /** Every file that targets name: address and hash. */
  get targets(): ReadonlyMap<string, TargetJson> {
    return this.#targets;
  }

  get hasRoot(): boolean {
    return this.#repository.root !== null;
  }

  /** Why devices would not find all that they need, in a sentence; or null. */
  get problem(): string | null {
    return this.problems[0]?.message ?? null;
  }

  /**
   * What keeps devices from trusting what they find. A server without an online key that was never
   * given metadata is one that goes without, and has none.
   */
  get problems(): readonly TrustProblem[] {
    const problems: TrustProblem[] = [];
    const add = (reason: TrustProblem["reason"], message: string | null): void => {
      if (message !== null) problems.push({ reason, message });
    };
    const isUsed = this.hasRoot || this.#signers.length > 0;
    if (isUsed && !this.hasRoot)
      add("metadata-missing", 'there is no signed metadata yet; run "sluice trust publish"');
    add("metadata-older", this.#olderText());
    add("metadata-unsigned", this.#schedule.problem);
    add("signer-failing", this.#signerProblem);
    add("audit-log-failing", this.#logProblem);
    const expired = this.expiries.filter(({ level }) => level === "expired");
    if (expired.length > 0)
      add("metadata-expired", expired.map((expiry) => describeExpiry(expiry)).join("; "));
    return problems;
  }

  /**
   * What the database says was published before this start: a folder with less came from a backup.
   */
  noteServed(versions: ReadonlyMap<string, number>): void {
    this.#served = versions;
  }

  #olderText(): string | null {
    const older = ["root", "targets", ...this.#repository.delegatedRoles].flatMap((role) => {
      const version = this.#repository.current(role)?.signed.version ?? 0;
      const served = this.#served.get(role) ?? 0;
      return version < served ? [`${role} ${version} and not ${served}`] : [];
    });
    if (older.length === 0) return null;
    return `the signed metadata in ${this.#repository.folder} is older than the database, which served more (it has ${older.join(", ")}): devices refuse it; run "sluice trust publish" from the release machine, or restore both from one backup`;
  }

  /** Could the next use of a key be written down? */
  checkLog(): void {
    if (this.#uses.length > 0) return; // the next tick writes, and tells
    this.#logProblem = this.hasRoot ? auditLogProblem(this.#log.path) : null;
  }

  /**
   * Devices that were told a time, by a clock that was wrong, which what the offline keys signed
   * does not reach; or null.
   */
  get ahead(): DevicesAhead | null {
    return this.#ahead;
  }

  get expiries(): readonly Expiry[] {
    return this.#documents().map((document) => expiryLevel(document, this.#clock.unixMs()));
  }

  /** Null when the offline keys did not sign this image for the hardware. */
  assignmentOf(image: PublishedFile, hardware: string): Assignment | null {
    const version = parseVersion(image.version);
    if (version === null) return null;
    const targetName = imageTargetName(hardware, version);
    const target = this.target(hashedName(targetName, image.fileHash));
    if (target === null) return null;
    const { fileHash: sha256, fileBytes: lengthBytes } = image;
    return { targetName, lengthBytes, sha256, releaseCounter: image.securityCounter ?? 0 };
  }

  /** Tells, once for each image and hardware, that a rollout offers what no device will install. */
  noteUnsigned({ version, fileHash }: PublishedFile, hardware: string): void {
    if (this.#once.isFull) return;
    const text = `release ${version} is offered to ${hardware}, but is not among the signed targets: no device installs it; run "sluice trust add-release"`;
    const notice = { level: "warn", text, facts: { version, hardware } } as const;
    this.#notices.push(
      ...this.#once.unlessLast(`unsigned ${hardware} ${fileHash}`, "told", notice),
    );
  }

  /** Null without an online key that the root names for the director. */
  async director(question: DirectorQuestion): Promise<Uint8Array | null> {
    const { root } = this.#repository;
    const keyIds = root?.signed[directorRoleMember].keyids ?? [];
    const signer = this.#signers.find(({ keyId }) => keyIds.includes(keyId));
    if (signer === undefined || root === null) return null;
    if (this.#logProblem !== null) throw new AuditLogError(this.#logProblem);
    if (this.#uses.length >= usesMax) await this.#inTurn(() => this.#writeUses());
    const answer = await this.#signing.run(async () => {
      const told = await this.#times.next(question.deviceId, keyIds);
      return this.#noteSigner(() => directorAnswer(question, root, signer, told));
    });
    if (answer === null) return null;
    const purpose = `director document for ${question.deviceId}`;
    this.#uses.push({ signer, use: { purpose, digest: answer.digest } });
    return answer.bytes;
  }

  /**
   * Takes metadata that the offline keys signed, all of it or nothing, and signs over it.
   * `lifeDays`: of the snapshots and timestamps from now on.
   */
  accept(
    incoming: IncomingDocuments,
    lifeDays: Partial<LifeDays>,
    hasFile: (sha256: string, lengthBytes: number) => Promise<boolean>,
  ): Promise<AcceptResult> {
    return this.#inTurn(async () => {
      const verify: Judges["verify"] = (set, now) => this.#verifier.ask({ set, now });
      const judges = { verify, hasFile };
      const judged = await judgeIncoming(this.#repository, incoming, this.#clock.unixMs(), judges);
      if (!judged.ok) return judged;
      await this.#repository.setLifeDaysMeanwhile({ ...this.#repository.lifeDays, ...lifeDays });
      await this.#signOver(judged.documents);
      return judged;
    });
  }

  /** Signs what is due, writes the audit log, and tells once what expires. */
  tick(): Promise<readonly TrustNotice[]> {
    return this.#inTurn(async () => {
      await this.#writeUses();
      const noted = this.#notices;
      this.#notices = [];
      if (!this.#schedule.startsLook(this.#signerProblem !== null)) return noted;
      const signed = await this.#noteSigner(() => this.#signOver([]));
      return [...noted, ...signed, ...this.#expiryNotices(), ...(await this.#lookAhead())];
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#verifier.close();
      await this.#writeUses();
    });
  }

  /** Ends the signers that still think: the server stops now. */
  abort(): void {
    for (const signer of this.#signers) signer.end?.();
  }

  /** Keeps in mind whether keys could be used, until they can be again. */
  async #noteSigner<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#signerProblem = null;
      return result;
    } catch (error) {
      if (error instanceof SignerError) this.#signerProblem = error.message;
      throw error;
    }
  }

  /**
   * Signs snapshot and timestamp over what is here and these new documents, and only then lets all
   * of them count: in an order in which devices, and a power cut in between, never find a root or a
   * timestamp before what it leads to.
   */
  async #signOver(fresh: readonly TrustDocument[]): Promise<readonly TrustNotice[]> {
    const signed = await this.#schedule.sign(fresh);
    const isRoot = ({ role }: TrustDocument): boolean => role === "root";
    const { snapshot, timestamp } = signed;
    const others = fresh.filter((one) => !isRoot(one));
    for (const document of [...others, snapshot, ...fresh.filter(isRoot), timestamp])
      if (document !== null) await this.#repository.publishMeanwhile(document);
    this.#files.delete("timestamp.json");
    this.#index();
    return signed.notices;
  }

  async #lookAhead(): Promise<TrustNotice[]> {
    const { root } = this.#repository;
    const offline = this.#documents().filter(({ role }) => !isOnline(role));
    if (root === null) return [];
    const { keyids } = root.signed[directorRoleMember];
    const endUnixMs = offlineReach(offline);
    // What has expired for all is told as that.
    const isExpired = endUnixMs <= this.#clock.unixMs();
    this.#ahead = isExpired ? null : await this.#times.ahead(keyids, endUnixMs);
    if (this.#ahead === null) {
      this.#once.forget("ahead");
      return [];
    }
    const { count, latestUnixMs } = this.#ahead;
    const facts = { count, until: new Date(latestUnixMs).toISOString() };
    const text = describeAhead(this.#ahead, endUnixMs);
    return this.#once.unlessLast("ahead", `${count}`, { level: "warn", text, facts });
  }

  #expiryNotices(): TrustNotice[] {
    return this.expiries.flatMap((expiry) => {
      const { role, version, level, lifeLeftPercent } = expiry;
      const facts = { role, version, expiry: level, lifeLeftPercent };
      const told = this.#once.unlessLast(role, `${version} ${level}`, {
        level: "warn",
        text: describeExpiry(expiry),
        facts,
      });
      return level === "good" ? [] : told;
    });
  }

  async #writeUses(): Promise<void> {
    // Kept until they are written: while the log fails, director documents stop at the bound.
    while (this.#uses.length > 0) {
      const [first] = this.#uses;
      if (first === undefined) return;
      const other = this.#uses.findIndex(({ signer }) => signer !== first.signer);
      const count = Math.min(other < 0 ? this.#uses.length : other, usesPerEntryMax);
      const uses = this.#uses.slice(0, count).map(({ use }) => use);
      try {
        await this.#log.append(first.signer, uses);
        this.#logProblem = null;
      } catch (error) {
        if (error instanceof SignerError) this.#signerProblem = error.message;
        else this.#logProblem = auditLogText(this.#log.path, error);
        throw error;
      }
      this.#uses = this.#uses.slice(count);
    }
  }

  #index(): void {
    const targets = new Map<string, TargetJson>();
    for (const role of this.#repository.delegatedRoles) {
      const document = this.#repository.current(role) as TargetsDocument | null;
      for (const [name, target] of Object.entries(document?.signed.targets ?? {}))
        targets.set(hashedName(name, target.hashes.sha256), target);
    }
    this.#targets = targets;
  }

  #documents(): TrustDocument[] {
    const roles = ["root", "targets", ...this.#repository.delegatedRoles, "snapshot", "timestamp"];
    return roles
      .map((role) => this.#repository.current(role))
      .filter((document) => document !== null);
  }

  /** Changes run one after another; a failed one leaves the turn to the next. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // the caller gets the error
    return result;
  }
}

function isOnline(role: string): boolean {
  return role === "snapshot" || role === "timestamp";
}
