// sluice/board on Linux: the facts come from the environment, which the driver sets for each boot.

import TCP from "embedded:io/socket/tcp";
import UDP from "embedded:io/socket/udp";
import Resolver from "embedded:network/dns/resolver/udp";

/** The SDK's compiler turns `native("name").call(this, ...)` into the C function of that name. */
declare function native(name: string): (...parameters: unknown[]) => unknown;

/** host-module.c */
const host = Object.freeze({
  environment(name: string) {
    return native("xs_sluice_environment").call(this, name) as string | undefined;
  },
  fillRandom(bytes: ArrayBuffer) {
    return native("xs_sluice_entropy").call(this, bytes);
  },
  restart() {
    return native("xs_sluice_restart").call(this);
  },
  memoryUsed() {
    return native("xs_sluice_memory_used").call(this) as number;
  },
  feedWithin(seconds: number) {
    return native("xs_sluice_watchdog").call(this, seconds);
  },
});

export default Object.freeze({
  partitions: Object.freeze({
    primary: "image-0",
    secondary: "image-1",
    bootctl: "bootctl",
    /** Only on a chip whose layout says where it lies. */
    get bootloader(): string | undefined {
      const layout = host.environment("SLUICE_PARTITIONS") ?? "";
      return layout.includes("mcuboot:") ? "mcuboot" : undefined;
    },
  }),
  get resetReason(): string {
    return host.environment("SLUICE_RESET_REASON") ?? "power-on";
  },
  /** Only when SLUICE_ANALOG_RAW tells what its pin reads. */
  get battery() {
    if (host.environment("SLUICE_ANALOG_RAW") === undefined) return undefined;
    return { pin: 0, emptyRaw: 2000, fullRaw: 3000 };
  },
  get charging(): boolean {
    return host.environment("SLUICE_CHARGING") === "1";
  },
  network: Object.freeze({
    socket: Object.freeze({ io: TCP }),
    dns: Object.freeze({
      io: Resolver,
      servers: Object.freeze(["127.0.0.1"]),
      socket: Object.freeze({ io: UDP }),
    }),
  }),
  /** SLUICE_TRIAL_MS is how long a boot of a trial may take to become healthy. */
  get settings() {
    const trialMs = host.environment("SLUICE_TRIAL_MS");
    return trialMs === undefined ? {} : { trialMs: Number(trialMs) };
  },
  /**
   * XS takes what it wants of the machine's memory; SLUICE_MEMORY_BYTES says what a board would
   * have.
   */
  get readMemory() {
    const limit = host.environment("SLUICE_MEMORY_BYTES");
    if (limit === undefined) return undefined;
    return () => ({ usedBytes: host.memoryUsed(), limitBytes: Number(limit) });
  },
  entropy(byteLength: number): ArrayBuffer {
    const bytes = new ArrayBuffer(byteLength);
    host.fillRandom(bytes);
    return bytes;
  },
  restart(): void {
    host.restart();
  },
  startWatchdog(): void {
    const seconds = Number(host.environment("SLUICE_WATCHDOG_SECONDS") ?? 0);
    if (seconds > 0) host.feedWithin(seconds);
  },
});
