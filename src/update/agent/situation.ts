import type { DeviceProfile } from "../../policy/compatibility.ts";
import { powerFacts } from "../../policy/power.ts";
import type { PowerReading } from "../../ports/board.ts";
import type { Ports } from "../../ports/ports.ts";
import type { SlotFacts } from "../../slots/slots.ts";
import type { Vitals } from "../health/vitals.ts";
import type { Context } from "../machine/event.ts";
import type { RefusedImages } from "../machine/refused-images.ts";
import type { Identity, Settings } from "../settings.ts";
import type { Configured } from "./configured.ts";
import type { Poller } from "./poller.ts";
import type { TrustedClock } from "./trusted-clock.ts";
import type { UserApproval } from "./user-approval.ts";
import type { UpdateWork } from "./work.ts";

export interface SituationTools {
  readonly ports: Ports;
  readonly identity: Identity;
  readonly settings: Settings;
  readonly refused: RefusedImages;
  readonly approval: UserApproval;
  readonly vitals: Vitals;
  readonly configured: Configured;
  readonly facts: SlotFacts;
  readonly poller: Poller;
  readonly time: TrustedClock;
  readonly work: UpdateWork;
}

/**
 * Gathers what the pure parts decide by: the facts of this moment, from wherever they are known.
 */
export class Situation {
  readonly #tools: SituationTools;

  constructor(tools: SituationTools) {
    this.#tools = tools;
  }

  context(): Context {
    const { ports, settings, refused, approval, vitals, configured, poller } = this.#tools;
    const { version, imageHash, confirmed, secondary, image } = this.#tools.facts;
    const { header } = image;
    return {
      running: { version, imageHash, confirmed },
      resetReason: ports.reset.reason,
      secondary,
      power: powerFacts(this.power()),
      powerPolicy: settings.power,
      trial: { boots: settings.trialBoots, secondsPerBoot: settings.health.trialMs / 1000 },
      landedBytes: this.#tools.work.landedBytes,
      runningBytes: header.headerBytes + header.payloadBytes + header.protectedTlvBytes,
      windows: configured.windows,
      unixMs: this.#tools.time.unixMs(),
      // A configuration on trial has to be judged under the image that it was made for.
      windowOpen: poller.windowOpen && !configured.onTrial,
      asksBeforeInstall: settings.askBeforeInstall,
      approvedFile: approval.approvedFile,
      networkDown: poller.networkDown,
      refused: refused.list(),
      soaking: vitals.soaking,
    };
  }

  /** What the rules of compatibility look at. */
  profile(): DeviceProfile {
    const { identity, configured } = this.#tools;
    const { header, securityCounter } = this.#tools.facts.image;
    return {
      hardware: identity.hardware,
      version: header.version,
      securityCounter,
      bootloaderVersion: identity.bootloaderVersion,
      configurationSchema: configured.configuration.read()?.schema ?? null,
    };
  }

  /**
   * A sensor that fails must not hold up updates for ever: a power cut costs time and nothing else.
   */
  power(): PowerReading {
    const { ports } = this.#tools;
    try {
      return ports.power.read();
    } catch (error) {
      ports.log.write("error", `unexpected: battery: ${String(error)}`);
      return { batteryPercent: null, charging: false };
    }
  }
}
