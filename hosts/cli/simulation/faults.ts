import { PluggableBattery } from "../../simulator/battery.ts";
import { readAnswer } from "../../simulator/http-text.ts";
import type { Network, NetworkAnswer } from "../../simulator/network.ts";
import { seedOf, type WorldDevice } from "../../simulator/world.ts";
import type { Session } from "./session.ts";

/**
 * What goes wrong in a simulation with faults, per device or per exchange. All passes in time but
 * what `lasts`.
 */
export const faultRates = {
  /** Share of exchanges that meet a fault while the bad weather lasts. */
  exchange: 0.08,
  /** Share of devices whose link is gone altogether now and then while it lasts. */
  droppedLink: 0.15,
  /** Share of devices that start with a low battery. */
  lowBattery: 0.1,
  /** Share of devices that may install within their windows only. */
  windows: 0.25,
  /** Power cuts per device: up to this many, each in the middle of some flash operation. */
  powerCutsMax: 3,
  /**
   * Share of devices whose battery is never charged, and of those in a freeze: for each of them
   * alone.
   */
  lasts: 0.01,
} as const;

/** What never passes for a device: it cannot take the release, and must say why. */
export type LastingFault = "flat-battery" | "freeze";

/** How the seed treats a device. */
export interface DeviceFate {
  readonly lasting: LastingFault | null;
  /** May install within windows only. */
  readonly windowed: boolean;
}

export function fateOf(seed: number, id: string): DeviceFate {
  const random = randomOf(seedOf(seed, `fate ${id}`));
  const draw = random();
  const lasting =
    draw < faultRates.lasts ? "flat-battery" : draw < 2 * faultRates.lasts ? "freeze" : null;
  return { lasting, windowed: random() < faultRates.windows };
}

/** From then on the network is well, so that what is left undone is the devices' own doing. */
export const weatherMs = 3 * 3_600_000;
const chargeMs = 1.5 * 3_600_000;
/**
 * A cut falls within so many flash operations; an update of the reference firmware with its swap
 * takes about 800.
 */
const cutWithinOperations = 700;
const darkMsMax = 600_000;

/** A seeded generator of its own for each place that draws (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Longest time for which one link is gone, and how often that happens at most. */
const droppedMsMax = 45 * 60_000;
const dropsMax = 3;

/** Exchanges of single devices that come to nothing while their link is gone. */
export function droppedLinks(real: Network, session: () => Session, seed: number): Network {
  const spans = new Map<string, readonly (readonly [fromMs: number, toMs: number])[]>();
  const spansOf = (id: string): readonly (readonly [number, number])[] => {
    const random = randomOf(seedOf(seed, `link ${id}`));
    const count = random() < faultRates.droppedLink ? 1 + Math.floor(random() * dropsMax) : 0;
    return Array.from({ length: count }, () => {
      const fromMs = random() * weatherMs;
      return [fromMs, Math.min(weatherMs, fromMs + random() * droppedMsMax)] as const;
    });
  };
  return {
    async exchange(call, body) {
      const id = /\/controller\/v1\/([^/?]+)/.exec(call.path)?.[1] ?? "";
      const own = spans.get(id) ?? spansOf(id);
      spans.set(id, own);
      const { nowMs } = session();
      const isGone = own.some(([fromMs, toMs]) => nowMs >= fromMs && nowMs < toMs);
      return isGone ? { kind: "unreachable" } : real.exchange(call, body);
    },
  };
}

/** Real exchanges, some of which break, stall or come back spoilt. */
export function badWeather(real: Network, session: () => Session, seed: number): Network {
  const random = randomOf(seedOf(seed, "network"));
  return {
    async exchange(call, body) {
      const bad = session().nowMs < weatherMs && random() < faultRates.exchange;
      const kind = random();
      if (bad && kind < 0.2) return { kind: "unreachable" };
      const came = await real.exchange(call, body);
      const answer = bad ? readAnswer(call.method, came) : came;
      return bad && answer.kind === "response" ? spoilt(answer, kind, random) : answer;
    },
  };
}

function spoilt(
  answer: Extract<NetworkAnswer, { kind: "response" }>,
  kind: number,
  random: () => number,
): NetworkAnswer {
  const empty = new Uint8Array(0);
  if (kind < 0.35) return { ...answer, status: 500, headers: {}, body: empty };
  if (kind < 0.45) return { ...answer, status: 503, headers: { "retry-after": "20" }, body: empty };
  if (kind < 0.55) return { ...answer, status: 404, headers: {}, body: empty };
  if (kind < 0.65) return { ...answer, status: 200 };
  if (kind < 0.75) {
    const body = new TextEncoder().encode("<html>captive portal</html>");
    return { ...answer, headers: { "content-length": String(body.length) }, body };
  }
  if (kind < 0.8 && answer.body.length > 4096) {
    const body = answer.body.slice();
    body[Math.floor(random() * body.length)]! ^= 0x04;
    return { ...answer, body };
  }
  return { ...answer, brokenAfterBytes: Math.floor(random() * answer.body.length) };
}

/** Low at the start for some; the charger comes later, but for a battery that stays flat. */
export function someBattery(session: Session, seed: number, id: string): PluggableBattery | null {
  const random = randomOf(seedOf(seed, `battery ${id}`));
  const staysFlat = fateOf(seed, id).lasting === "flat-battery";
  if (random() >= faultRates.lowBattery && !staysFlat) return null;
  const battery = new PluggableBattery(5 + random() * 14, 25);
  if (staysFlat) return battery;
  const { scheduler } = session.world;
  scheduler.after(chargeMs * random(), () => battery.plugIn(scheduler.nowMs));
  return battery;
}

/**
 * Cuts the power of devices in the middle of some of their flash operations, and gives it back a
 * little later.
 */
export class PowerCuts {
  readonly #session: Session;
  readonly #seed: number;
  readonly #plans = new Map<string, { readonly random: () => number; cutsLeft: number }>();
  /** Cuts made so far, over all devices. */
  made = 0;

  constructor(session: Session, seed: number) {
    this.#session = session;
    this.#seed = seed;
  }

  /** Plans the cuts of one device. */
  threaten(known: WorldDevice): void {
    const random = randomOf(seedOf(this.#seed, `power ${known.id}`));
    const cutsLeft = Math.floor(random() * (faultRates.powerCutsMax + 1));
    this.#plans.set(known.id, { random, cutsLeft });
    this.#arm(known);
  }

  /** To be told when a device lost its power. */
  powerLost(known: WorldDevice): void {
    const plan = this.#plans.get(known.id);
    if (plan === undefined) return;
    this.made += 1;
    this.#arm(known);
    const darkMs = 1 + plan.random() * darkMsMax;
    this.#session.world.scheduler.after(darkMs, () => known.device.powerOn());
  }

  #arm({ id, device }: WorldDevice): void {
    const plan = this.#plans.get(id);
    device.flash.faultHook = null;
    if (plan === undefined || plan.cutsLeft === 0) return;
    plan.cutsLeft -= 1;
    let operationsLeft = 1 + Math.floor(plan.random() * cutWithinOperations);
    const torn = plan.random();
    const kind = torn < 0.34 ? "cut-clean" : torn < 0.67 ? "cut-half" : "cut-tail";
    device.flash.faultHook = () => {
      operationsLeft -= 1;
      return operationsLeft === 0 ? kind : "proceed";
    };
  }
}
