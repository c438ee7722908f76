import type { DeviceLayout } from "../../flash/layout.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import type { FlashOperation } from "../../flash/operation.ts";
import type { BootOutcome } from "../../mcuboot-model/boot.ts";
import { imageOkAddress, rawTrailer, slotHolds } from "./slot-content.ts";

/** An image that was signed for the device; two of a device differ in their bytes. */
export interface KnownImage {
  readonly name: string;
  /** The image hash as the device names it: lower-case hex. */
  readonly imageHash: string;
  readonly file: Uint8Array;
}

/**
 * - bricked: it does not boot, it runs what nobody signed for it, it never comes to rest, it takes
 *   no other update
 * - lost-rollback: a trial without its way back, with too many boots, confirmed without proof, or
 *   that never ends
 * - unfinished: sound, but on another of its images than it should be
 */
export interface BrokenPromise {
  readonly kind: "bricked" | "lost-rollback" | "unfinished";
  readonly text: string;
}

export interface PromiseFacts {
  readonly layout: DeviceLayout;
  readonly images: readonly KnownImage[];
  /** The image that runs at the start, for good. */
  readonly running: KnownImage;
  readonly trialBootsMax: number;
}

/** More would say the same again. */
const brokenMax = 8;

/**
 * Watches one device and holds it to what its users are promised, whatever cuts its power: every
 * boot starts an image that was signed; an image on trial has the one before it whole in the other
 * slot and at most so many boots; it is confirmed only after the server answered it; and what runs
 * in the end is confirmed. It reads the chip by itself and asks neither the bootloader model nor
 * the firmware what they think.
 */
export class DevicePromises {
  readonly broken: BrokenPromise[] = [];
  readonly #facts: PromiseFacts;
  /** Whether the server has answered a poll of this image on trial. */
  readonly #provedHealthy: (image: KnownImage) => boolean;
  #running: KnownImage | null;
  #settled: KnownImage;
  #onTrial: KnownImage | null = null;
  /**
   * The image whose firmware asked for it to stay; whether the chip got it is seen at the next
   * look.
   */
  #confirming: KnownImage | null = null;
  #confirmed: ReadonlySet<KnownImage>;
  #trialBoots = new Map<KnownImage, number>();

  constructor(facts: PromiseFacts, provedHealthy: (image: KnownImage) => boolean) {
    this.#facts = facts;
    this.#provedHealthy = provedHealthy;
    this.#running = facts.running;
    this.#settled = facts.running;
    this.#confirmed = new Set([facts.running]);
  }

  /** A watcher in the same state for another way on from here. */
  fork(provedHealthy: (image: KnownImage) => boolean): DevicePromises {
    const copy = new DevicePromises(this.#facts, provedHealthy);
    copy.broken.push(...this.broken);
    copy.#running = this.#running;
    copy.#settled = this.#settled;
    copy.#onTrial = this.#onTrial;
    copy.#confirming = this.#confirming;
    copy.#confirmed = this.#confirmed;
    copy.#trialBoots = new Map(this.#trialBoots);
    return copy;
  }

  /**
   * Everything that later verdicts depend on, as text: equal for watchers that will judge alike.
   */
  get state(): string {
    const name = (image: KnownImage | null): string | null => image?.name ?? null;
    const confirmed = [...this.#confirmed].map(name);
    const boots = [...this.#trialBoots].map(([image, count]) => [image.name, count]);
    const images = [this.#running, this.#settled, this.#onTrial, this.#confirming].map(name);
    return JSON.stringify([images, confirmed, boots, this.broken]);
  }

  /** The image that the last boot started. */
  get running(): KnownImage | null {
    return this.#running;
  }

  get isOnTrial(): boolean {
    return this.#onTrial !== null;
  }

  /** Boots of an image while it was not confirmed. */
  trialBoots(image: KnownImage): number {
    return this.#trialBoots.get(image) ?? 0;
  }

  /**
   * The firmware is over, by a reset or by a power cut; what it leaves must still have a way back.
   */
  resetting(flash: NorFlash): void {
    this.#noteConfirmation(flash);
    if (this.#onTrial !== null) this.#checkWayBack(flash, this.#onTrial);
    this.#onTrial = null;
  }

  booted(flash: NorFlash, outcome: BootOutcome): void {
    if (outcome.outcome === "power-cut") return;
    if (outcome.outcome !== "booted") {
      this.#running = null;
      this.#break("bricked", `the bootloader ended with ${outcome.outcome}`);
      return;
    }
    const { primary } = this.#facts.layout;
    const image = this.#facts.images.find(({ file }) => slotHolds(flash, primary, file)) ?? null;
    this.#running = image;
    if (image === null || outcome.imageOffset !== primary.offsetBytes) {
      this.#break("bricked", `boots ${outcome.version}, which is none of the signed images`);
      return;
    }
    if (this.#confirmed.has(image)) {
      this.#settled = image;
      return;
    }
    this.#trialBooted(flash, image);
  }

  /** An operation of the firmware, about to be performed; also one that the power will fail in. */
  firmwareOperation(operation: FlashOperation): void {
    const image = this.#running;
    const isConfirmation =
      operation.kind === "write" &&
      operation.address <= imageOkAddress(this.#facts.layout.primary) &&
      operation.address + operation.lengthBytes > imageOkAddress(this.#facts.layout.primary);
    if (!isConfirmation || image === null || this.#confirmed.has(image)) return;
    if (!this.#provedHealthy(image))
      this.#break("lost-rollback", `${image.name} confirms itself before the server answered it`);
    this.#confirming = image;
  }

  /**
   * Judges a device that does nothing any more; `expected` are the images that may run in the end.
   */
  atRest(flash: NorFlash, expected: readonly KnownImage[]): void {
    const { images, layout } = this.#facts;
    const image = images.find(({ file }) => slotHolds(flash, layout.primary, file));
    if (image === undefined) {
      this.#break("bricked", "rests on none of the signed images");
      return;
    }
    this.#noteConfirmation(flash);
    const trailer = rawTrailer(flash, layout.primary);
    if (!this.#confirmed.has(image) || (trailer.hasMagic && trailer.imageOk === 0xff))
      this.#break("lost-rollback", `${image.name} stays and was never confirmed`);
    else if (!expected.includes(image)) {
      const names = expected.map(({ name }) => name).join(" or ");
      this.#break("unfinished", `rests on ${image.name}, not on ${names}`);
    }
  }

  restless(): void {
    const stays = this.#running !== null && !this.#confirmed.has(this.#running);
    const what = `does not come to rest, runs ${this.#running?.name ?? "nothing"}`;
    this.#break(stays ? "lost-rollback" : "bricked", what);
  }

  threw(error: unknown): void {
    this.#break("bricked", `the simulation stopped: ${String(error)}`);
  }

  #noteConfirmation(flash: NorFlash): void {
    const image = this.#confirming;
    this.#confirming = null;
    if (image === null || rawTrailer(flash, this.#facts.layout.primary).imageOk === 0xff) return;
    this.#confirmed = new Set([...this.#confirmed, image]);
    this.#settled = image;
    this.#onTrial = null;
  }

  #trialBooted(flash: NorFlash, image: KnownImage): void {
    this.#onTrial = image;
    const boots = this.trialBoots(image) + 1;
    this.#trialBoots.set(image, boots);
    if (boots > this.#facts.trialBootsMax)
      this.#break("lost-rollback", `${image.name} gets unconfirmed boot ${boots}`);
    this.#checkWayBack(flash, image);
  }

  #checkWayBack(flash: NorFlash, image: KnownImage): void {
    const { primary, secondary } = this.#facts.layout;
    const trailer = rawTrailer(flash, primary);
    // A flag that the power tore counts as written, as the hook takes it.
    if (!trailer.hasMagic || trailer.imageOk !== 0xff || trailer.copyDone === 0xff)
      this.#break("lost-rollback", `${image.name} is not confirmed and nothing will revert it`);
    if (!slotHolds(flash, secondary, this.#settled.file))
      this.#break("lost-rollback", `${this.#settled.name} is not whole behind ${image.name}`);
  }

  #break(kind: BrokenPromise["kind"], text: string): void {
    if (this.broken.length < brokenMax) this.broken.push({ kind, text });
  }
}
