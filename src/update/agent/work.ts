import type { EnvelopeRefusal } from "../../image/envelope.ts";
import { type ImageTrust, ImageVerification } from "../../image/verify.ts";
import type { FailureReason } from "../../offer/failure-reasons.ts";
import { type AcceptedOffer, addressNotKept, type Offer } from "../../offer/offer.ts";
import {
  type DeviceProfile,
  describeIncompatibility,
  findIncompatibility,
  releaseFacts,
} from "../../policy/compatibility.ts";
import { type Backoff, backoffMs } from "../../policy/retry.ts";
import { FlashError } from "../../ports/flash.ts";
import { parseDigestHex } from "../../protocol/digest.ts";
import type { SlotFacts, Slots } from "../../slots/slots.ts";
import { StagingSlot } from "../../slots/staging.ts";
import { type CheckResult, checkImage } from "../../transfer/check-image.ts";
import {
  type DownloadResult,
  download,
  isWorthRepeating,
  retryWaitMs,
  transferEnded,
} from "../../transfer/download.ts";
import { LongWork } from "../../transfer/long-work.ts";
import type { RangeFailure } from "../../transfer/range.ts";
import type { ReleaseTarget } from "../../trust/release-target.ts";
import type { Effect } from "../machine/effect.ts";
import type { Event } from "../machine/event.ts";
import { BlockMemory } from "./block-memory.ts";
import { ReleaseTrust, type ReleaseTrustTools } from "./release-trust.ts";
import type { UserApproval } from "./user-approval.ts";

export interface WorkTools extends ReleaseTrustTools {
  readonly slots: Slots;
  /** The facts of the image that runs, as they are now. */
  readonly facts: SlotFacts;
  /** Knows the file that the user of the device agreed to. */
  readonly approval: UserApproval;
  /** What the rules of compatibility look at. */
  profile(): DeviceProfile;
  /** A block of the release landed in the slot. */
  landed(offer: AcceptedOffer): void;
  workEnded(event: Event): void;
  /** Takes a promise that nobody waits for. */
  unattended(work: Promise<void>): void;
}

/** Between failures for now, so that a fault that lasts costs little. */
const pauseBackoff: Backoff = { firstMs: 60_000, capMs: 3_600_000 };

/** The next poll tells the address. */
const notKept = { reason: "address-not-kept", passing: true, retryAfterMs: 0 } as const;

type Trusted =
  | { readonly ok: true; readonly signed: ReleaseTarget | null }
  | { readonly ok: false; readonly event: Event };

/** How a check or a download failed. */
interface Ending {
  readonly reason: FailureReason;
  readonly passing: boolean;
  readonly retryAfterMs: number;
}

type Work = Extract<Effect, { kind: "check" | "prepare" | "download" | "verify" }>;

/**
 * The long effects of an update: they run in small steps beside the polls, one at a time, and end
 * in one event. Work that was abandoned ends without one.
 */
export class UpdateWork {
  readonly #tools: WorkTools;
  #current: LongWork | null = null;
  readonly #memory: BlockMemory;
  /** Null where the device goes by images alone. */
  readonly #releaseTrust: ReleaseTrust | null;
  /** The slot of a download that goes on: it holds a sector, which is given back at the end. */
  #slot: StagingSlot | null = null;
  #landedBytes = 0;
  /** Failures for now since the last download that came whole. */
  #pauses = 0;
  #retries = 0;
  /** Digest of the ends that were refused last, or the hash of their image. */
  #refusedEnds = "";

  constructor(tools: WorkTools) {
    this.#tools = tools;
    this.#memory = new BlockMemory(tools.ports.keyValue);
    this.#releaseTrust = tools.identity.trust === "tuf" ? new ReleaseTrust(tools) : null;
  }

  /** Whether an event of some work is still to come. */
  get underWay(): boolean {
    return this.#current !== null;
  }

  /** Bytes of the image that the last download has in the slot. */
  get landedBytes(): number {
    return this.#slot?.receivedBytes ?? this.#landedBytes;
  }

  /** Requests for the image that had to be repeated, in this boot. */
  get retries(): number {
    return this.#retries;
  }

  /** Learns the time where somebody who is trusted tells it. */
  async askTime(): Promise<void> {
    await this.#releaseTrust?.askTime();
  }

  abandon(): void {
    this.#current?.abandon();
    this.#current = null;
  }

  /** Abandons what is under way and begins this. */
  perform(effect: Work): void {
    this.abandon();
    const work = new LongWork(this.#tools.ports.clock);
    this.#current = work;
    this.#tools.unattended(this.#run(effect, work));
  }

  async #run(effect: Work, work: LongWork): Promise<void> {
    let event: Event;
    try {
      event = await this.#begin(effect, work);
    } catch (error) {
      this.#tools.ports.log.write("error", `unexpected in ${effect.kind}: ${String(error)}`);
      event = endedBadly(effect.kind);
    }
    if (work.abandoned) return;
    this.#current = null;
    this.#tools.workEnded(event);
  }

  #begin(effect: Work, work: LongWork): Promise<Event> {
    switch (effect.kind) {
      case "check":
        return this.#check(effect.offer, work);
      case "prepare":
        return this.#prepare(effect.offer, work);
      case "download":
        return this.#download(effect.offer, work);
      case "verify":
        return this.#verify(effect.offer, work);
      default:
        return effect satisfies never;
    }
  }

  async #check(offer: Offer, work: LongWork): Promise<Event> {
    if (offer.source.url === addressNotKept) return { kind: "checkFailed", ...notKept };
    const unfit = this.#unfit(offer);
    if (unfit !== null) {
      this.#tools.ports.log.write("error", `${offer.version} refused: ${unfit.message}`);
      return checkFailed(unfit.reason);
    }
    const trusted = await this.#trusted(offer);
    if (!trusted.ok) return trusted.event;
    const result = await this.#fetchEnds(offer, work);
    return result.ok || result.kind === "image"
      ? this.#judged(offer, trusted.signed, result)
      : { kind: "checkFailed", ...this.#transferEnded(result.failure, result.retryAfterMs) };
  }

  /**
   * What no image could change: a bootloader that works otherwise, slots that cannot be swapped,
   * and a file that is larger than they take.
   */
  #unfit(offer: Offer): { readonly reason: FailureReason; readonly message: string } | null {
    const { defect, bootloaderRefusal, imageBytesMax } = this.#tools.slots;
    if (defect !== null) return { reason: "slot-layout", message: defect };
    if (bootloaderRefusal !== null) return bootloaderRefusal;
    if (offer.fileBytes <= imageBytesMax) return null;
    const message = `the image has ${offer.fileBytes} bytes, the slots take at most ${imageBytesMax}`;
    return { reason: "image-too-large", message };
  }

  /** Fetches the two ends of the image, again with growing pauses while that makes sense. */
  async #fetchEnds(offer: Offer, work: LongWork): Promise<CheckResult> {
    const { ports, http, settings, client } = this.#tools;
    const request = {
      url: offer.source.url,
      fileBytes: offer.fileBytes,
      headers: client.headers(offer.source.url),
      timeoutMs: settings.download.timeoutMs,
      trust: this.#trust(),
    };
    // Bounded by `failuresMax`.
    for (let failures = 1; ; failures += 1) {
      const result = await checkImage(http, request);
      if (result.ok) this.#memory.store(offer.fileHash, result.blocks);
      if (result.ok || result.kind === "image") return result;
      const { failure, retryAfterMs } = result;
      const over = failures >= settings.download.failuresMax || work.abandoned;
      if (over || !isWorthRepeating(failure)) return result;
      await work.pause(retryWaitMs(failures, retryAfterMs, settings.download, ports.random));
    }
  }

  /**
   * By the offline keys and the director, before anything of the image is fetched; `signed` is what
   * they say of it, null on a device that goes by images alone.
   */
  async #trusted(offer: Offer): Promise<Trusted> {
    if (this.#releaseTrust === null) return { ok: true, signed: null };
    const { securityCounter } = this.#tools.facts.image;
    const verdict = await this.#releaseTrust.check(offer, securityCounter);
    if (verdict.ok) return { ok: true, signed: verdict.approved.release };
    const { reason, passing } = verdict;
    const retryAfterMs = passing ? this.#pauseMs() : 0;
    return { ok: false, event: { kind: "checkFailed", reason, passing, retryAfterMs } };
  }

  #judged(
    offer: Offer,
    signed: ReleaseTarget | null,
    result: Exclude<CheckResult, { kind: "transfer" }>,
  ): Event {
    if (!result.ok) return { kind: "checkFailed", ...this.#endsRefused(result) };
    const { info } = result;
    const imageHash = parseDigestHex(info.imageHash);
    const expected = signed?.imageHash ?? offer.imageHash ?? imageHash;
    if (imageHash === null || imageHash !== expected)
      return { kind: "checkFailed", ...this.#refused("offer-mismatch", imageHash ?? "") };
    const facts = signed ?? info.release;
    const overridesWindows = facts.windowOverride;
    const checked = { kind: "checked", offer: { ...offer, imageHash, overridesWindows } } as const;
    const { approval, ports } = this.#tools;
    // What runs cannot be refused by any rule.
    if (imageHash === this.#tools.facts.image.imageHash) return { ...checked, lacks: null };
    const approved = offer.approved || approval.approvedFile === offer.fileHash;
    const profile = this.#tools.profile();
    const found = findIncompatibility(releaseFacts(info, facts), profile, { approved });
    if (found === null) return { ...checked, lacks: null };
    ports.log.write("warn", `${offer.version}: ${describeIncompatibility(found)}`);
    const { rule } = found;
    return rule === "major-not-approved" || rule === "breaking-not-approved"
      ? { ...checked, lacks: rule }
      : checkFailed(rule);
  }

  async #prepare(offer: AcceptedOffer, work: LongWork): Promise<Event> {
    const slot = this.#staging(offer);
    try {
      for (let step = 0; step < slot.prepareSteps && !work.abandoned; step += 1) {
        slot.prepareSector(step);
        await work.pause(0);
      }
      return { kind: "prepared" };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return downloadFailed("flash-error");
    }
  }

  async #download(offer: AcceptedOffer, work: LongWork): Promise<Event> {
    if (offer.source.url === addressNotKept) return { kind: "downloadFailed", ...notKept };
    const { ports, http, settings, client } = this.#tools;
    if (this.#memory.recall(offer.fileHash) === null) {
      const ends = await this.#fetchEnds(offer, work);
      if (!ends.ok && ends.kind === "transfer")
        return { kind: "downloadFailed", ...this.#transferEnded(ends.failure, ends.retryAfterMs) };
      if (!ends.ok) return { kind: "downloadFailed", ...this.#endsRefused(ends) };
    }
    const blocks = this.#memory.recall(offer.fileHash)?.blocks ?? null;
    const slot = this.#staging(offer);
    this.#slot = slot;
    let result: DownloadResult;
    try {
      result = await download(offer, blocks, slot, settings.download, {
        http,
        random: ports.random,
        crypto: ports.crypto,
        work,
        headers: (url) => client.headers(url),
        landed: () => {
          this.#pauses = 0; // it comes forward: the next fault is a first one
          this.#tools.landed(offer);
        },
        repeated: () => {
          this.#retries += 1;
        },
      });
    } finally {
      this.#slotLeft(slot);
    }
    if (result.ok) {
      this.#pauses = 0;
      return { kind: "downloaded" };
    }
    const { reason, passing } = result;
    return { kind: "downloadFailed", reason, passing, retryAfterMs: passing ? this.#pauseMs() : 0 };
  }

  /** An abandoned download may end behind the next. */
  #slotLeft(slot: StagingSlot): void {
    if (this.#slot !== slot) return;
    this.#landedBytes = slot.receivedBytes;
    this.#slot = null;
  }

  async #verify(offer: AcceptedOffer, work: LongWork): Promise<Event> {
    const verification = new ImageVerification(this.#tools.ports.flash.secondary, this.#trust());
    try {
      // Bounded: each step hashes a block of an image that fits the slot, or answers.
      for (let verdict = verification.step(); ; verdict = verification.step()) {
        // Nobody will hear of work that was abandoned.
        if (work.abandoned) return { kind: "verifyFailed", reason: "network" };
        if (verdict === null) {
          await work.pause(0);
          continue;
        }
        if (!verdict.ok) return { kind: "verifyFailed", reason: imageReason(verdict.reason) };
        if (verdict.info.imageHash !== offer.imageHash)
          return { kind: "verifyFailed", reason: "hash-mismatch" };
        return { kind: "verified" };
      }
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return { kind: "verifyFailed", reason: "flash-error" };
    } finally {
      verification.close();
    }
  }

  #transferEnded(failure: RangeFailure, waitMs: number | null): Ending {
    const { reason, passing } = transferEnded(failure);
    return { reason, passing, retryAfterMs: passing ? Math.max(waitMs ?? 0, this.#pauseMs()) : 0 };
  }

  #endsRefused({ refusal, digest }: Extract<CheckResult, { kind: "image" }>): Ending {
    return this.#refused(imageReason(refusal), digest);
  }

  /**
   * Nothing vouches that bytes are of the file: a server may have sent others than it says. A
   * refusal is for good once the same come again after a pause, from where the server then says.
   */
  #refused(reason: FailureReason, digest: string): Ending {
    const passing = digest !== this.#refusedEnds;
    this.#refusedEnds = digest;
    return { reason, passing, retryAfterMs: passing ? this.#pauseMs() : 0 };
  }

  /** The first pause lasts until the next offer, later ones longer and longer. */
  #pauseMs(): number {
    this.#pauses += 1;
    if (this.#pauses === 1) return 0;
    return backoffMs(this.#pauses - 1, pauseBackoff, this.#tools.ports.random);
  }

  #staging(offer: AcceptedOffer): StagingSlot {
    const { ports, slots } = this.#tools;
    return new StagingSlot(ports.flash.secondary, offer.fileBytes, slots.trailerBytes);
  }

  #trust(): ImageTrust {
    return {
      keys: this.#tools.identity.imageKeys,
      crypto: this.#tools.ports.crypto,
      imageBytesMax: this.#tools.slots.imageBytesMax,
    };
  }
}

/**
 * A defect of ours must not leave the update without an end: the next offer begins where this one
 * stood.
 */
function endedBadly(kind: Work["kind"]): Event {
  const reason: FailureReason = "internal-error";
  if (kind === "verify") return { kind: "verifyFailed", reason };
  const failed = { reason, passing: true, retryAfterMs: 0 };
  return { kind: kind === "check" ? "checkFailed" : "downloadFailed", ...failed };
}

function checkFailed(reason: FailureReason): Event {
  return { kind: "checkFailed", reason, passing: false, retryAfterMs: 0 };
}

function downloadFailed(reason: FailureReason): Event {
  return { kind: "downloadFailed", reason, passing: false, retryAfterMs: 0 };
}

/** The words of the server's reports for what the codec found. */
function imageReason(refusal: EnvelopeRefusal): FailureReason {
  switch (refusal) {
    case "hash-mismatch":
      return "hash-mismatch";
    case "image-too-large":
      return "image-too-large";
    case "signature-untrusted":
      return "key-unknown";
    case "signature-invalid":
    case "signature-length":
      return "signature-invalid";
    default:
      return "image-malformed";
  }
}
