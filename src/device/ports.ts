import Analog from "embedded:io/analog";
import board from "sluice/board";
import time from "time";
import timer from "timer";
import type { Clock, Log, Power, Random, Reset, ResetReason, TimerHandle } from "../ports/board.ts";
import type { Ports } from "../ports/ports.ts";
import { readCredentials } from "../tls/credentials.ts";
import { readRedirectHosts } from "../transfer/redirect-hosts.ts";
import { nativeCrypto } from "./crypto.ts";
import { openPartitions } from "./flash.ts";
import { openHttp } from "./http.ts";
import { openKeyValue } from "./key-value.ts";

/** The world of the agent on this board. */
export function openPorts(): Ports {
  const clock = openClock();
  const keyValue = openKeyValue("sluice");
  return {
    flash: openPartitions(),
    http: openHttp(clock, () => readCredentials(keyValue)),
    clock,
    random,
    keyValue,
    power: openPower(),
    watchdog: { start: () => board.startWatchdog() },
    reset,
    crypto: nativeCrypto,
    log,
    // A board that does not tell has no floor of free memory and no search for leaks.
    ...(board.readMemory !== undefined && { memory: { read: () => board.readMemory?.() ?? null } }),
    ...(board.link !== undefined && { link: board.link }),
  };
}

type BoardSettings = NonNullable<typeof board.settings>;

/** What the build of this board sets otherwise than the firmware does by itself. */
export function boardSettings(): Omit<BoardSettings, "redirectHosts"> & {
  readonly redirectHosts?: readonly string[];
} {
  const { redirectHosts, ...settings } = board.settings ?? {};
  if (redirectHosts === undefined) return settings;
  const read = readRedirectHosts(redirectHosts);
  if (read.ok) return { ...settings, redirectHosts: read.hosts };
  log.write("error", `${read.message}: no redirect to another host is followed`);
  return settings;
}

/** Before it (2025-01-01) the clock was never set: boards start in 1970. */
const plausibleUnixMs = 1_735_689_600_000;

/**
 * Longer delays are waited for in parts: the SDK's timers count milliseconds in 32 bits with a
 * sign.
 */
const timerMsMax = 0x3fff_ffff;

/**
 * The SDK's ticks have an origin of their own, may wrap at 32 bits (every 50 days on Zephyr) and
 * follow the wall clock on Linux: what has passed is summed up from call to call, which a device
 * that polls makes often enough.
 */
function openClock(): Clock {
  let lastTicks = time.ticks;
  let uptimeMs = 0;
  return {
    uptimeMs() {
      const ticks = time.ticks;
      uptimeMs += Math.max(0, (ticks - lastTicks) | 0); // a wall clock set back is no time
      lastTicks = ticks;
      return uptimeMs;
    },
    unixMs() {
      const now = Date.now();
      return now < plausibleUnixMs ? null : now;
    },
    after: startTimer,
  };
}

function startTimer(delayMs: number, run: () => void): TimerHandle {
  let pending = true; // a timer that has fired is the SDK's again: it must not be cleared
  let leftMs = Math.max(0, delayMs);
  const next = (): ReturnType<typeof timer.set> => {
    const partMs = Math.min(leftMs, timerMsMax);
    leftMs -= partMs;
    return timer.set(fired, partMs);
  };
  const fired = (): void => {
    if (leftMs > 0) {
      handle = next();
      return;
    }
    pending = false;
    run();
  };
  let handle = next();
  return {
    cancel() {
      if (pending) timer.clear(handle);
      pending = false;
    },
  };
}

/**
 * `Math.random` of XS is an unseeded `rand()` on Zephyr: a whole fleet would draw the same jitter
 * at every boot.
 */
const random: Random = {
  next: () => new DataView(board.entropy(4)).getUint32(0) / 0x1_0000_0000,
};

const reasons: readonly ResetReason[] = [
  "power-on",
  "software",
  "exception",
  "watchdog",
  "brownout",
  "deep-sleep",
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
