import Analog from "embedded:io/analog";
import board from "sluice/board";
import time from "time";
import timer from "timer";
import type { Clock, Log, Power, Reset, ResetReason } from "../ports/board.ts";
import type { Ports } from "../ports/ports.ts";
import { nativeCrypto } from "./crypto.ts";
import { openPartitions } from "./flash.ts";
import { openHttp } from "./http.ts";
import { openKeyValue } from "./key-value.ts";

/** The world of the agent on this board. */
export function openPorts(): Ports {
  return {
    flash: openPartitions(),
    http: openHttp(clock),
    clock,
    random: { next: () => Math.random() },
    keyValue: openKeyValue("sluice"),
    power: openPower(),
    watchdog: { start: () => board.startWatchdog() },
    reset,
    crypto: nativeCrypto,
    log,
  };
}

/** Before it (2025-01-01) the clock was never set: boards start in 1970. */
const plausibleUnixMs = 1_735_689_600_000;

const clock: Clock = {
  uptimeMs: () => time.ticks,
  unixMs() {
    const now = Date.now();
    return now < plausibleUnixMs ? null : now;
  },
  after(delayMs, run) {
    let pending = true; // the SDK frees a timer that has fired: it must not be cleared afterwards
    const handle = timer.set(() => {
      pending = false;
      run();
    }, delayMs);
    return {
      cancel() {
        if (pending) timer.clear(handle);
        pending = false;
      },
    };
  },
};

const reasons: readonly ResetReason[] = [
  "power-on",
  "software",
  "exception",
  "watchdog",
  "brownout",
];

const reset: Reset = {
  get reason() {
    return reasons.find((reason) => reason === board.resetReason) ?? "unknown";
  },
  restart: () => board.restart(),
};

const log: Log = {
  write: (level, message) => trace(`${level}: ${message}\n`),
};

/** A battery behind an analog divider, taken as linear between empty and full; none means mains. */
function openPower(): Power {
  const { battery } = board;
  if (battery === undefined) return { read: () => ({ batteryPercent: null, charging: true }) };
  const analog = new Analog({ pin: battery.pin });
  const span = battery.fullRaw - battery.emptyRaw;
  return {
    read() {
      const percent = (100 * (analog.read() - battery.emptyRaw)) / span;
      const batteryPercent = Math.round(Math.min(Math.max(percent, 0), 100));
      return { batteryPercent, charging: board.charging };
    },
  };
}
