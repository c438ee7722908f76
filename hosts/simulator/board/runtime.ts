// Runs inside the simulated board, on every engine: the modules that the firmware imports, over
// `hostCall`. Bundled to one script; it may use ECMAScript, TextEncoder and TextDecoder and nothing
// else.
import { type BoardFacts, hostCall, hostEvent, MessageReader } from "./host-calls.ts";
import { type HandleKind, handleKinds } from "./open-handles.ts";
import { call, globals, text, utf8 } from "./runtime-call.ts";
import { Curve, Digest, ECDSA, ECPoint } from "./runtime-crypto.ts";
import { Resolver, SecureSocket, SimulatedSocket, sockets } from "./runtime-socket.ts";
import { timer, timers } from "./runtime-timer.ts";

let facts: BoardFacts;

globals.trace = (...texts) => void call(hostCall.log, [], utf8.encode(texts.join("")));

globals.powerOn = (json) => {
  facts = JSON.parse(json) as BoardFacts;
  installClock();
  installRandom(facts.seed);
};

globals.runFirmware = (firmware) => {
  firmware((name) => {
    const found = modules[name];
    if (found === undefined) throw new Error(`this board has no module "${name}"`);
    return found();
  });
};

globals.handleCommand = (event) => {
  const bytes = new Uint8Array(event);
  const reader = new MessageReader(bytes);
  const id = reader.u32();
  if (bytes[0] === hostEvent.timer) {
    const timer = timers.get(id);
    timers.delete(id);
    timer?.callback();
    return;
  }
  sockets.get(id)?.handle(bytes[0] ?? 0, reader);
};

/** A module with a default export is that export itself, the way CommonJS has it. */
const modules: Record<string, () => unknown> = {
  "embedded:storage/flash": () => flash,
  "embedded:storage/key-value": () => keyValue,
  "embedded:io/analog": () => Analog,
  timer: () => timer,
  time: () => time,
  crypt: () => ({ Digest }),
  curve: () => Curve,
  ecp: () => ECPoint,
  ecdsa: () => ECDSA,
  "sluice/board": () => board,
  "sluice/secure-socket": () => SecureSocket,
};

const board = {
  get partitions() {
    return facts.roles;
  },
  get resetReason() {
    return facts.resetReason;
  },
  get battery() {
    return facts.battery;
  },
  get charging() {
    return call(hostCall.charging).u8() === 1;
  },
  network: { socket: { io: SimulatedSocket }, dns: { io: Resolver } },
  entropy(byteLength: number): ArrayBuffer {
    const bytes = Uint8Array.from({ length: byteLength }, () => Math.random() * 256);
    return bytes.buffer;
  },
  restart() {
    call(hostCall.restart);
  },
  startWatchdog() {
    call(hostCall.watchdogStart);
  },
};

/** Tells the host of something that is to be closed; answers what closes it, once. */
function counted(kind: HandleKind): () => void {
  const index = handleKinds.indexOf(kind);
  let isOpen = true;
  call(hostCall.opened, [["u8", index]]);
  return () => {
    if (isOpen) call(hostCall.closed, [["u8", index]]);
    isOpen = false;
  };
}

const flash = {
  open({ path }: { path: string }) {
    const index = facts.partitions.findIndex((partition) => partition.label === path);
    const partition = facts.partitions[index];
    if (partition === undefined) throw new Error(`no flash partition "${path}"`);
    return {
      close: counted("partition"),
      read(into: Uint8Array, offset: number) {
        const fields = [["u8", index] as const, ["u32", offset] as const];
        into.set(call(hostCall.flashRead, [...fields, ["u32", into.length]]).rest());
        return into.length;
      },
      write(bytes: Uint8Array, offset: number) {
        call(
          hostCall.flashWrite,
          [
            ["u8", index],
            ["u32", offset],
          ],
          bytes,
        );
      },
      eraseBlock(start: number, end = start + 1) {
        call(hostCall.flashErase, [
          ["u8", index],
          ["u32", start],
          ["u32", end],
        ]);
      },
      status: () => ({
        size: partition.sizeBytes,
        blockLength: partition.sectorBytes,
        blocks: partition.sizeBytes / partition.sectorBytes,
        writeAlign: partition.writeBlockBytes,
        eraseValue: 0xff,
        offset: partition.chipOffsetBytes,
      }),
    };
  },
  [Symbol.iterator]: () => facts.partitions.map((partition) => partition.label)[Symbol.iterator](),
};

const keyValue = {
  open({ path }: { path: string }) {
    const name = (key: string): Uint8Array => utf8.encode(`${path}/${key}`);
    return {
      close: counted("storage"),
      read(key: string): ArrayBuffer | undefined {
        const reply = call(hostCall.keyValueRead, [], name(key));
        return reply.u8() === 0 ? undefined : (reply.rest().slice().buffer as ArrayBuffer);
      },
      write(key: string, value: Uint8Array) {
        const named = name(key);
        call(hostCall.keyValueWrite, [["u8", named.length]], named, value);
      },
      delete(key: string) {
        call(hostCall.keyValueDelete, [], name(key));
      },
      [Symbol.iterator]() {
        const keys = JSON.parse(text(call(hostCall.keyValueKeys).rest())) as string[];
        const own = keys.filter((key) => key.startsWith(`${path}/`));
        return own.map((key) => key.slice(path.length + 1))[Symbol.iterator]();
      },
    };
  },
};

class Analog {
  readonly resolution = 12;
  read(): number {
    return call(hostCall.analogRead).u16();
  }
  close(): void {}
}

const time = {
  get ticks() {
    return call(hostCall.now).f64();
  },
};

/** The board's time is the simulation's; the engine's own clock would tell the machine's. */
function installClock(): void {
  const unixMs = (): number => {
    const reply = call(hostCall.now);
    reply.f64();
    return reply.f64();
  };
  const RealDate = globals.Date;
  class BoardDate extends RealDate {
    constructor(...parts: unknown[]) {
      if (parts.length === 0) super(unixMs());
      else super(...(parts as [number]));
    }
    static override now(): number {
      return unixMs();
    }
  }
  globals.Date = BoardDate as DateConstructor;
}

/** Mulberry32: any generator does, as long as the seed decides. */
function installRandom(seed: number): void {
  let state = seed >>> 0;
  globals.Math.random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
