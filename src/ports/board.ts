/** Time: a monotonic clock, the wall clock where it is known, and timers. */
export interface Clock {
  /** Milliseconds since this boot, never running backwards. */
  uptimeMs(): number;
  /** Milliseconds since 1970, or null while the device does not know the time. */
  unixMs(): number | null;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): TimerHandle;
}

export interface TimerHandle {
  cancel(): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/**
 * Small values under short keys, each write atomic: a power cut leaves the old value or the new
 * one. Values are at most 1,024 bytes, keys at most 32 characters.
 */
export interface KeyValue {
  read(key: string): Uint8Array | null;
  /**
   * Throws `StorageError` when the storage is full or the value too large; the old value then
   * stands.
   */
  write(key: string, value: Uint8Array): void;
  delete(key: string): void;
}

/** Storage refused or lost an operation. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

export interface PowerReading {
  /** 0 to 100, or null on a board without a battery. */
  readonly batteryPercent: number | null;
  readonly charging: boolean;
}

export interface Power {
  read(): PowerReading;
}

export interface MemoryReading {
  readonly usedBytes: number;
  /** What there is of it. */
  readonly limitBytes: number;
}

/** The heap of the engine that runs the firmware. */
export interface Memory {
  /** Null where it is not known. */
  read(): MemoryReading | null;
}

/** The network interface that the server is reached by. */
export interface Link {
  isUp(): boolean;
  /** The signal of the radio; null when unknown, or on a wire. */
  signalDbm(): number | null;
}

/** Armed by the bootloader; a board whose watchdog is not fed in time resets. */
export interface Watchdog {
  /** From now on the main loop feeds it on every turn, so that a loop that hangs is caught. */
  start(): void;
}

export type ResetReason =
  | "power-on"
  | "software"
  | "exception"
  | "watchdog"
  | "brownout"
  /** The chip woke from a sleep that the firmware had planned. */
  | "deep-sleep"
  | "unknown";

export interface Reset {
  /** Why the chip started this time. */
  readonly reason: ResetReason;
  /** Restarts the chip; does not return on a board. */
  restart(): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Log {
  write(level: LogLevel, message: string): void;
}
