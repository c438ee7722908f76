// sluice/board on the chip.

import TCP from "embedded:io/socket/tcp";
import UDP from "embedded:io/socket/udp";
import Resolver from "embedded:network/dns/resolver/udp";
import config from "mc/config";
import { bringUp } from "sluice/network";
import timer from "timer";

/** The SDK's compiler turns `native("name").call(this, ...)` into the C function of that name. */
declare function native(name: string): (...parameters: unknown[]) => unknown;

/** One line on the console. */
declare function trace(...texts: unknown[]): void;

/** native/chip.c, native/watchdog.c, native/memory.c, native/link.c */
const chip = Object.freeze({
  resetReason() {
    return native("xs_sluice_reset_reason").call(this) as string;
  },
  restart() {
    return native("xs_sluice_restart").call(this);
  },
  fillRandom(bytes: ArrayBuffer) {
    return native("xs_sluice_entropy").call(this, bytes);
  },
  feedWatchdog() {
    return native("xs_sluice_watchdog_feed").call(this) as boolean;
  },
  memoryPeak(which: number) {
    return native("xs_sluice_memory_peak").call(this, which) as number;
  },
  memoryNow(which: 0 | 1) {
    return native("xs_sluice_memory_now").call(this, which) as number;
  },
  linkUp() {
    return native("xs_sluice_link_up").call(this) as boolean;
  },
  signalDbm() {
    return native("xs_sluice_link_signal").call(this) as number | undefined;
  },
});

/** A tenth of what the watchdog waits: a loop that is busy for long still comes in time. */
const feedsPerTimeout = 10;
const watchdogSeconds = config.watchdogSeconds ?? 60;
/** A new peak is worth a line on the console when it is that much higher. */
const reportedBytesMin = 2048;

export default Object.freeze({
  partitions: Object.freeze({
    primary: "image-0",
    secondary: "image-1",
    bootctl: "bootctl",
    bootloader: "mcuboot",
  }),
  get resetReason(): string {
    return chip.resetReason();
  },
  /** Dev kits have none; a board with one maps this module to its own. */
  battery: undefined,
  charging: true,
  network: Object.freeze({
    socket: Object.freeze({ io: TCP }),
    dns: Object.freeze({
      io: Resolver,
      servers: Object.freeze([config.nameServer ?? "9.9.9.9"]),
      socket: Object.freeze({ io: UDP }),
    }),
  }),
  readMemory() {
    const usedBytes = chip.memoryNow(0);
    return { usedBytes, limitBytes: usedBytes + chip.memoryNow(1) };
  },
  collectGarbage() {
    chip.memoryNow(0);
  },
  link: Object.freeze({
    isUp: () => chip.linkUp(),
    signalDbm: () => chip.signalDbm() ?? null,
  }),
  settings: Object.freeze({
    trialMs: (config.trialSeconds ?? 60) * 1000,
    firstPollMsMax: (config.firstPollSeconds ?? 10) * 1000,
    plainHttp: config.plainHttp ?? false,
    redirectHosts: config.redirectHosts,
    unknownBootloader: config.unknownBootloader ?? "refuse",
  }),
  entropy(byteLength: number): ArrayBuffer {
    const bytes = new ArrayBuffer(byteLength);
    chip.fillRandom(bytes);
    return bytes;
  },
  restart(): void {
    reportMemory(0); // the end of an update is often its worst moment
    chip.restart();
  },
  /** Called once, when the updates start: the network is brought up here too. */
  startWatchdog(): void {
    bringUp();
    if (!chip.feedWatchdog()) trace("warn: no watchdog runs on this board\n");
    let reported = 0;
    const feed = (): void => {
      chip.feedWatchdog();
      reported = reportMemory(reported);
      timer.set(feed, (watchdogSeconds * 1000) / feedsPerTimeout);
    };
    feed();
  },
});

/**
 * Prints what the firmware used at its worst moment, and what is free now, when that grew; what was
 * last printed.
 */
function reportMemory(reported: number): number {
  const peaks = [0, 1, 2, 3].map((which) => chip.memoryPeak(which));
  const total = peaks.reduce((sum, bytes) => sum + bytes, 0);
  if (total < reported + reportedBytesMin) return reported;
  const [slots, chunks, heap, stack] = peaks;
  chip.memoryNow(0); // garbage is free too
  const free = chip.memoryNow(1);
  trace(`memory: slots ${slots} chunks ${chunks} heap ${heap} stack ${stack} free ${free}\n`);
  return total;
}
