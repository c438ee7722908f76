import { bucketOf, bucketsCount } from "../rollout/buckets.ts";
import { type OfferRate, rateAfter } from "../rollout/rate.ts";
import { BytePacer } from "./byte-pacer.ts";
import { DownloadSlots } from "./download-slots.ts";
import { type AdmissionLimits, downloadsMax, unlimited, wholeServer } from "./limits.ts";
import { Line, type Place } from "./line.ts";
import { OfferMeter } from "./offer-meter.ts";

/** A device as it stands in line: two of the same id are two, one of them removed. */
export interface Waiter {
  readonly id: string;
  readonly row: { readonly region: string | null };
}

/** A rollout that has its turn for a device. */
export interface OfferClaim {
  readonly rolloutId: number;
  readonly rate: OfferRate | null;
  /** How long the rollout runs. */
  readonly runsMs: number;
  /** The device would download at once: nobody has to agree first. */
  readonly downloads: boolean;
}

/** One limit, and who waits for it. */
interface Gate {
  readonly key: string;
  readonly line: Line<Ticket>;
  free(nowMs: number): number;
  /** When `count` of it are free, if everybody takes theirs as soon as it is. */
  whenFree(count: number, nowMs: number): number;
  take(nowMs: number): void;
}

interface Ticket {
  readonly device: Waiter;
  /** What it waits for: an offer, or a slot to download what it was offered. */
  kind: "offer" | "download";
  readonly places: Map<Gate, Place<Ticket>>;
  /** The limits that it was held up by: there, those behind wait for it. */
  readonly holds: Set<Gate>;
  /** When it was told to come. */
  comesAtMs: number;
  /** A device that did not come by then is passed over. */
  vanishedAtMs: number;
}

/** A device is told to come at most so much later than it may, so that not all come at once. */
const jitterMsMax = 10_000;
const jitterShare = 0.1;
/** A device that waits is told to come at least so often. */
const sleepSecondsMax = 3600;
const graceMsMin = 60_000;
/** A device oversleeps by no more than this share of what it was told to sleep. */
const graceShare = 0.25;

/**
 * Who is offered a release or sent for a file now, and who stands in line for it. First come, first
 * served; nobody is refused, all are told when to come. All of it is in memory: after a restart the
 * line forms anew as devices come. Times are of a clock that only passes.
 */
export class Admission<Device extends Waiter = Waiter> {
  readonly #nowMs: () => number;
  readonly #pollSeconds: number;
  readonly #tickets = new Map<Waiter, Ticket>();
  readonly #meters = new Map<string, OfferMeter>();
  readonly #gates = new Map<string, Gate>();
  readonly #slots = new DownloadSlots<Waiter>();
  readonly #pacers = new Map<string, BytePacer>();
  #limits: ReadonlyMap<string, AdmissionLimits> = new Map();

  constructor(options: { readonly nowMs: () => number; readonly pollSeconds: number }) {
    this.#nowMs = options.nowMs;
    this.#pollSeconds = options.pollSeconds;
  }

  /** By region; of the whole server under `wholeServer`. */
  get limits(): ReadonlyMap<string, AdmissionLimits> {
    return this.#limits;
  }

  set limits(limits: ReadonlyMap<string, AdmissionLimits>) {
    this.#limits = limits;
    this.#pacers.clear();
    for (const [key, { bytesPerSecond }] of limits)
      if (bytesPerSecond !== null)
        this.#pacers.set(key, new BytePacer(bytesPerSecond, this.#nowMs));
  }

  /** Devices that wait for an offer or a download. */
  get waiting(): number {
    return this.#tickets.size;
  }

  /** An offer that was made before this server started counts in its minute. */
  noteOffer(offer: { readonly rolloutId: number; readonly region: string | null }): void {
    for (const key of offerKeys(offer.rolloutId, offer.region))
      this.#meter(key).take(this.#nowMs());
  }

  /** What is under way of a limit. */
  usage(key: string): { readonly offersLastMinute: number; readonly downloads: number } {
    const nowMs = this.#nowMs();
    return {
      offersLastMinute: this.#meters.get(offerKey(key))?.used(nowMs) ?? 0,
      downloads: this.#slots.held(downloadKey(key), nowMs),
    };
  }

  /** May the device be offered the release now? It has its turn then; else its place in line. */
  mayOffer(device: Device, claim: OfferClaim): boolean {
    const gates = this.#offerGates(claim, device);
    const downloads = claim.downloads ? this.#downloadGates(device) : [];
    if (!this.#ask(device, "offer", [...gates, ...downloads])) return false;
    if (downloads.length > 0) this.#takeSlot(device);
    return true;
  }

  /** No rollout has its turn for the device: it waits for no offer. */
  claimsNothing(device: Device): void {
    const ticket = this.#tickets.get(device);
    if (ticket?.kind === "offer") this.#leave(ticket);
  }

  /** Has a device that waits for an offer become one that may have it? */
  isTurn(device: Device): boolean {
    const ticket = this.#tickets.get(device);
    if (ticket?.kind !== "offer") return false;
    return this.#isFree(ticket);
  }

  /** Is the device that was offered a release to be sent for the file now? */
  mayDownload(device: Device): boolean {
    const gates = this.#downloadGates(device);
    if (gates.length === 0) return true;
    if (this.#slots.has(device, this.#nowMs())) return true;
    if (this.#tickets.get(device)?.kind === "offer") return false; // it waits for what replaces it
    if (!this.#ask(device, "download", gates)) return false;
    this.#takeSlot(device);
    return true;
  }

  /**
   * A device asks for its file. One that lost its slot was served before: it goes before those who
   * wait, but not beyond the limit. 0 when it may, else in how many seconds it may ask again.
   */
  fetch(device: Device): number {
    const gates = this.#downloadGates(device);
    const nowMs = this.#nowMs();
    if (gates.length === 0) return 0;
    if (!this.#slots.has(device, nowMs)) {
      const busy = gates.filter((gate) => gate.free(nowMs) < 1);
      const freeAtMs = Math.max(...busy.map((gate) => gate.whenFree(1, nowMs)));
      if (busy.length > 0) return Math.max(1, Math.ceil((freeAtMs - nowMs) / 1000));
      this.#takeSlot(device);
    }
    this.#slots.touch(device, nowMs);
    return 0;
  }

  /** Must its file go out in small parts, since what goes out is counted? */
  isPaced(device: Device): boolean {
    return this.#downloadGates(device).length > 0;
  }

  /** In how many milliseconds so much of a file may go out to the device. */
  send(device: Device, bytes: number): number {
    this.#slots.touch(device, this.#nowMs());
    const waits = regionsOf(device).map((key) => this.#pacers.get(key)?.take(bytes) ?? 0);
    return Math.max(...waits);
  }

  /** The device has its file, or needs none any more. */
  endDownload(device: Device, has: "the file" | "no file"): void {
    if (has === "the file") this.#slots.finish(device, this.#nowMs());
    else this.#slots.free(device);
    const ticket = this.#tickets.get(device);
    if (ticket?.kind === "download") this.#leave(ticket);
  }

  /** In how many seconds a device that waits is to come; null for one that does not. */
  pollSeconds(device: Device): number | null {
    const ticket = this.#tickets.get(device);
    if (ticket === undefined) return null;
    const seconds = Math.ceil((ticket.comesAtMs - this.#nowMs()) / 1000);
    return Math.max(1, Math.min(seconds, Math.max(sleepSecondsMax, this.#pollSeconds)));
  }

  #ask(device: Waiter, kind: Ticket["kind"], gates: readonly Gate[]): boolean {
    const known = this.#tickets.get(device);
    if (gates.length === 0) {
      if (known !== undefined) this.#leave(known);
      return true;
    }
    const ticket = known ?? {
      device,
      kind,
      places: new Map(),
      holds: new Set<Gate>(),
      comesAtMs: 0,
      vanishedAtMs: 0,
    };
    ticket.kind = kind;
    for (const [gate, place] of ticket.places)
      if (!gates.includes(gate)) {
        gate.line.leave(place);
        ticket.places.delete(gate);
        ticket.holds.delete(gate);
      }
    for (const gate of gates)
      if (!ticket.places.has(gate)) ticket.places.set(gate, gate.line.join(ticket));
    this.#tickets.set(device, ticket);
    if (!this.#isFree(ticket)) return false;
    this.#leave(ticket);
    const nowMs = this.#nowMs();
    for (const gate of gates) gate.take(nowMs);
    return true;
  }

  /**
   * Whether all limits have room for this one and those before it; else it is told when. It holds
   * up others at the limit that lets it go last, and only there: who waits for its region takes
   * nothing from the other regions. Once that limit has room, its turn there is kept for it.
   */
  #isFree(ticket: Ticket): boolean {
    const nowMs = this.#nowMs();
    const { places, holds, device } = ticket;
    let freeAtMs = nowMs;
    let last: Gate | null = null;
    ticket.vanishedAtMs = Number.POSITIVE_INFINITY;
    for (const [gate, place] of places) {
      this.#passOverVanished(gate, nowMs);
      const ahead = gate.line.ahead(place);
      if (ahead < gate.free(nowMs)) continue;
      const thisFreeAtMs = gate.whenFree(ahead + 1, nowMs);
      if (last !== null && thisFreeAtMs <= freeAtMs) continue;
      freeAtMs = thisFreeAtMs;
      last = gate;
    }
    if (last !== null) holds.add(last);
    for (const gate of holds) {
      const place = places.get(gate);
      if (place !== undefined) gate.line.count(place);
    }
    const waitMs = freeAtMs - nowMs;
    const spreadMs = Math.min(jitterMsMax, Math.max(1000, waitMs * jitterShare));
    const share = bucketOf(`poll-${freeAtMs}`, device.id) / bucketsCount;
    ticket.comesAtMs = freeAtMs + share * spreadMs;
    const graceMs = Math.max(graceMsMin, 2000 * this.#pollSeconds) + waitMs * graceShare;
    ticket.vanishedAtMs = ticket.comesAtMs + graceMs;
    return last === null;
  }

  /** Who stands at the front and did not come when told, holds nobody up. */
  #passOverVanished({ line }: Gate, nowMs: number): void {
    // Bounded by the line: each turn of the loop passes one over.
    for (let first = line.first(); first !== null; first = line.first()) {
      if (nowMs < first.vanishedAtMs) return;
      for (const [gate, place] of first.places) gate.line.passOver(place);
    }
  }

  #leave(ticket: Ticket): void {
    for (const [{ line }, place] of ticket.places) line.leave(place);
    ticket.places.clear();
    this.#tickets.delete(ticket.device);
  }

  #takeSlot(device: Waiter): void {
    const keys = regionsOf(device).map(downloadKey);
    this.#slots.take(device, keys, this.#nowMs());
  }

  #offerGates({ rolloutId, rate, runsMs }: OfferClaim, { row }: Waiter): Gate[] {
    const [own = "", ...shared] = offerKeys(rolloutId, row.region);
    const gates = shared.flatMap((key, index) => {
      const limit = this.#limits.get(index === 0 ? wholeServer : (row.region ?? wholeServer));
      const perMinute = limit?.offersPerMinute ?? null;
      return perMinute === null ? [] : [this.#offerGate(key, perMinute)];
    });
    return rate === null ? gates : [this.#offerGate(own, rateAfter(rate, runsMs)), ...gates];
  }

  #offerGate(key: string, perMinute: number): Gate {
    const known = this.#gates.get(key) as OfferGate | undefined;
    if (known === undefined) {
      const gate = new OfferGate(key, this.#meter(key), perMinute);
      this.#gates.set(key, gate);
      return gate;
    }
    known.perMinute = perMinute;
    return known;
  }

  #meter(key: string): OfferMeter {
    const meter = this.#meters.get(key) ?? new OfferMeter();
    this.#meters.set(key, meter);
    return meter;
  }

  #downloadGates(device: Waiter): Gate[] {
    return regionsOf(device).flatMap((region) => {
      const most = downloadsMax(this.#limits.get(region) ?? unlimited);
      if (most === null) return [];
      const key = downloadKey(region);
      const gate =
        (this.#gates.get(key) as DownloadGate | undefined) ?? new DownloadGate(key, this.#slots);
      gate.downloadsMax = most;
      this.#gates.set(key, gate);
      return [gate];
    });
  }
}

class OfferGate implements Gate {
  readonly key: string;
  readonly line = new Line<Ticket>();
  perMinute: number;
  readonly #meter: OfferMeter;

  constructor(key: string, meter: OfferMeter, perMinute: number) {
    this.key = key;
    this.#meter = meter;
    this.perMinute = perMinute;
  }

  free(nowMs: number): number {
    return this.perMinute - this.#meter.used(nowMs);
  }

  whenFree(count: number, nowMs: number): number {
    return this.#meter.whenFree(count, this.perMinute, nowMs);
  }

  take(nowMs: number): void {
    this.#meter.take(nowMs);
  }
}

class DownloadGate implements Gate {
  readonly key: string;
  readonly line = new Line<Ticket>();
  downloadsMax = 0;
  readonly #slots: DownloadSlots<Waiter>;

  constructor(key: string, slots: DownloadSlots<Waiter>) {
    this.key = key;
    this.#slots = slots;
  }

  free(nowMs: number): number {
    return this.downloadsMax - this.#slots.held(this.key, nowMs);
  }

  whenFree(count: number, nowMs: number): number {
    const owed = count - this.free(nowMs);
    return owed <= 0 ? nowMs : nowMs + Math.ceil(owed / this.downloadsMax) * this.#slots.expectedMs;
  }

  /** The slot is taken with the device, once for all limits. */
  take(): void {}
}

function offerKeys(rolloutId: number, region: string | null): string[] {
  const keys = [`rollout ${rolloutId}`, offerKey(wholeServer)];
  return region === null ? keys : [...keys, offerKey(region)];
}

function offerKey(region: string): string {
  return `offers ${region}`;
}

function downloadKey(region: string): string {
  return `downloads ${region}`;
}

/** The whole server, and the region of the device. */
function regionsOf({ row: { region } }: Waiter): string[] {
  return region === null ? [wholeServer] : [wholeServer, region];
}
