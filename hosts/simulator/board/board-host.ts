import type { Crypto, Hasher } from "../../../src/ports/crypto.ts";
import type { FlashArea } from "../../../src/ports/flash.ts";
import { hostCall, hostReply, MessageReader, message, type SocketCall } from "./host-calls.ts";
import { type HandleKind, handleKinds, type OpenHandles } from "./open-handles.ts";

/** Key-value storage as the board's firmware reaches it. */
export interface BoardStorage {
  read(key: string): Uint8Array | null;
  write(key: string, value: Uint8Array): void;
  delete(key: string): void;
  keys(): Iterable<string>;
}

/**
 * What answers the calls of one boot. Each throws to refuse; the firmware then sees the message as
 * an exception.
 */
export interface BoardHardware {
  readonly partitions: readonly FlashArea[];
  readonly storage: BoardStorage;
  readonly crypto: Crypto;
  /** Counts what the firmware opens; timers and sockets are counted by who keeps them. */
  readonly open: OpenHandles;
  log(text: string): void;
  uptimeMs(): number;
  unixMs(): number;
  setTimer(id: number, delayMs: number): void;
  clearTimer(id: number): void;
  openSocket(id: number, call: SocketCall): void;
  writeSocket(id: number, bytes: Uint8Array): void;
  closeSocket(id: number): void;
  analogRaw(): number;
  charging(): boolean;
  restart(): void;
  startWatchdog(): void;
  /** Asked before each call: a board that lost power or restarts does nothing any more. */
  isAlive(): boolean;
  /** What a call threw, before the firmware sees it. */
  failed(error: unknown): void;
}

/**
 * A turn runs to its end even when the power failed in the middle of it; on a board it would have
 * stopped there. What it still calls must have no effect and, where nothing is answered, no
 * exception that no board ever throws.
 */
const withoutResult: ReadonlySet<number> = new Set([
  hostCall.log,
  hostCall.timerSet,
  hostCall.timerClear,
  hostCall.socketOpen,
  hostCall.socketWrite,
  hostCall.socketClose,
  hostCall.restart,
  hostCall.watchdogStart,
  hostCall.opened,
  hostCall.closed,
]);
const timeless: ReadonlySet<number> = new Set([hostCall.now]);

/** Decodes the calls of `hostCall` and answers them with the hardware of one boot. */
export class BoardHost {
  readonly #hardware: BoardHardware;
  readonly #hashers = new Map<number, Hasher>();
  #lastHandle = 0;

  constructor(hardware: BoardHardware) {
    this.#hardware = hardware;
  }

  handle(request: Uint8Array): Uint8Array {
    try {
      const code = request[0] ?? 0;
      const goesOn = this.#hardware.isAlive() || timeless.has(code);
      if (!goesOn && withoutResult.has(code)) return ok();
      if (!goesOn) throw new Error("the board is down");
      return this.#answer(code, new MessageReader(request));
    } catch (error) {
      this.#hardware.failed(error);
      const text = error instanceof Error ? error.message : String(error);
      return message(hostReply.error, [], new TextEncoder().encode(text));
    }
  }

  #answer(code: number, reader: MessageReader): Uint8Array {
    const { storage } = this.#hardware;
    switch (code) {
      case hostCall.flashRead:
      case hostCall.flashWrite:
      case hostCall.flashErase:
        return this.#flash(code, reader);
      case hostCall.keyValueRead: {
        const value = storage.read(textOf(reader.rest()));
        return ok([["u8", value === null ? 0 : 1]], value ?? new Uint8Array(0));
      }
      case hostCall.keyValueWrite: {
        const key = textOf(reader.take(reader.u8()));
        storage.write(key, reader.rest().slice());
        return ok();
      }
      case hostCall.keyValueDelete:
        storage.delete(textOf(reader.rest()));
        return ok();
      case hostCall.keyValueKeys:
        return ok([], new TextEncoder().encode(JSON.stringify([...storage.keys()])));
      case hostCall.shaOpen:
      case hostCall.shaWrite:
      case hostCall.shaClose:
      case hostCall.verify:
        return this.#crypto(code, reader);
      default:
        return this.#system(code, reader);
    }
  }

  #flash(code: number, reader: MessageReader): Uint8Array {
    const index = reader.u8();
    const area = this.#hardware.partitions[index];
    if (area === undefined) throw new Error(`no partition ${index}`);
    const first = reader.u32();
    if (code === hostCall.flashWrite) {
      area.write(first, reader.rest().slice());
      return ok();
    }
    const second = reader.u32();
    if (code === hostCall.flashRead) {
      const bytes = new Uint8Array(second);
      area.read(first, bytes);
      return ok([], bytes);
    }
    area.erase(first * area.sectorBytes, (second - first) * area.sectorBytes);
    return ok();
  }

  #crypto(code: number, reader: MessageReader): Uint8Array {
    if (code === hostCall.shaOpen) {
      this.#hardware.open.opened("digest");
      this.#lastHandle += 1;
      this.#hashers.set(this.#lastHandle, this.#hardware.crypto.sha256());
      return ok([["u32", this.#lastHandle]]);
    }
    if (code === hostCall.verify) {
      const publicKey = Uint8Array.of(4, ...reader.take(64));
      const digest = reader.take(32).slice();
      const valid = this.#hardware.crypto.verifyP256(publicKey, digest, reader.rest().slice());
      return ok([["u8", valid ? 1 : 0]]);
    }
    const handle = reader.u32();
    const hasher = this.#hashers.get(handle);
    if (hasher === undefined) throw new Error(`no digest ${handle}`);
    if (code === hostCall.shaWrite) {
      hasher.update(reader.rest());
      return ok();
    }
    this.#hashers.delete(handle);
    this.#hardware.open.closed("digest");
    return ok([], hasher.digest());
  }

  #system(code: number, reader: MessageReader): Uint8Array {
    const hardware = this.#hardware;
    switch (code) {
      case hostCall.log:
        hardware.log(textOf(reader.rest()));
        return ok();
      case hostCall.now:
        return ok([
          ["f64", hardware.uptimeMs()],
          ["f64", hardware.unixMs()],
        ]);
      case hostCall.timerSet:
        hardware.setTimer(reader.u32(), reader.f64());
        return ok();
      case hostCall.timerClear:
        hardware.clearTimer(reader.u32());
        return ok();
      case hostCall.socketOpen: {
        const id = reader.u32();
        hardware.openSocket(id, JSON.parse(textOf(reader.rest())) as SocketCall);
        return ok();
      }
      case hostCall.socketWrite:
        hardware.writeSocket(reader.u32(), reader.rest().slice());
        return ok();
      case hostCall.socketClose:
        hardware.closeSocket(reader.u32());
        return ok();
      case hostCall.opened:
        hardware.open.opened(kindOf(reader.u8()));
        return ok();
      case hostCall.closed:
        hardware.open.closed(kindOf(reader.u8()));
        return ok();
      case hostCall.analogRead:
        return ok([["u16", hardware.analogRaw()]]);
      case hostCall.charging:
        return ok([["u8", hardware.charging() ? 1 : 0]]);
      case hostCall.restart:
        hardware.restart();
        return ok();
      case hostCall.watchdogStart:
        hardware.startWatchdog();
        return ok();
      default:
        throw new Error(`no host call ${code}`);
    }
  }
}

function kindOf(index: number): HandleKind {
  const kind = handleKinds[index];
  if (kind === undefined) throw new Error(`no kind of handle ${index}`);
  return kind;
}

function ok(
  fields: Parameters<typeof message>[1] = [],
  bytes: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return message(hostReply.ok, fields, bytes);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
