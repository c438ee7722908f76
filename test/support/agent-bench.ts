import { sectorBytes } from "../../hosts/flash/geometry.ts";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import { moveTrailerShape } from "../../src/image/layout.ts";
import { trailerMagic, trailerOffsets } from "../../src/image/trailer.ts";
import type { MemoryReading, PowerReading, ResetReason } from "../../src/ports/board.ts";
import type { FlashPartitions } from "../../src/ports/flash.ts";
import type { HttpRequest } from "../../src/ports/http.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";
import type { Ports } from "../../src/ports/ports.ts";
import { Agent, type AgentOptions } from "../../src/update/agent/agent.ts";
import type { State } from "../../src/update/machine/state.ts";
import { defaultSettings, type Identity, type Settings } from "../../src/update/settings.ts";
import { ManualClock, settle } from "./manual-clock.ts";
import { MemoryKeyValue } from "./memory-key-value.ts";
import { fixedRandom, LogLines } from "./plain-ports.ts";
import { ScriptedHttp } from "./scripted-http.ts";
import { type FlashFault, failingArea } from "./secondary-slot.ts";
import { boardHardware, type SmallImage, trustedSigner } from "./small-images.ts";
import { SmallServer, serverUrl } from "./small-server.ts";

const sectors = 48;
export const slotBytes = sectors * sectorBytes;
const shape = moveTrailerShape({ slotBytes, sectorBytes, writeBlockBytes: 4, maxAlignBytes: 8 });
const offsets = trailerOffsets({ shape, slotBytes });

const identity: Identity = {
  serverUrl,
  tenant: "DEFAULT",
  deviceId: "dev-1",
  token: "secret",
  hardware: boardHardware,
  imageKeys: [trustedSigner.key],
  otherServerUrl: null,
  bootloaderVersion: null,
  trust: null,
};

/** Timers that one call may fire; more is a device that never comes to rest. */
const turnsMax = 5000;

/**
 * An agent on ports that a test holds in its hands: a manual clock, a scripted server, flash with
 * the rules of NOR and storage that outlives a reset. After `restart()` every port throws, as on a
 * board that is gone.
 */
export class AgentBench {
  readonly server = new SmallServer();
  readonly keyValue = new MemoryKeyValue();
  readonly chip = new NorFlash({ sizeBytes: 2 * slotBytes, writeBlockBytes: 4 });
  readonly log = new LogLines();
  readonly settings: Settings;
  clock = new ManualClock();
  http: ScriptedHttp;
  /** Set as the clock of the next boot; null is a device that does not know the time. */
  unixStartMs: number | null = null;
  /** What the firmware of the next boot declares. */
  options: AgentOptions = {};
  memory: () => MemoryReading | null = () => null;
  linkUp = true;
  otherServerUrl: string | null = null;
  power: () => PowerReading = () => ({ batteryPercent: null, charging: true });
  /** Answers true where the flash shall fail; also asked about the primary slot. */
  flashFails: FlashFault = () => false;
  primaryFails: FlashFault = () => false;
  /** What the bootloader's partition holds; null for a board that does not name it. */
  bootloader: Uint8Array | null = null;
  restarts = 0;
  #isDown = false;
  #agent: Agent | null = null;

  constructor(running: SmallImage, settings: Partial<Settings> = {}) {
    this.settings = { ...defaultSettings, ...settings };
    this.chip.poke(0, running.bytes);
    this.http = this.#newHttp();
  }

  get agent(): Agent {
    if (this.#agent === null) throw new Error("the bench did not boot");
    return this.#agent;
  }

  get state(): State {
    return this.agent.state;
  }

  /** The kind of the state, or null before the first boot is through its constructor. */
  get kind(): State["kind"] | null {
    return this.#agent?.state.kind ?? null;
  }

  /** Requests of this boot as `METHOD path`, the server's own address left out. */
  get requests(): string[] {
    return this.http.requests.map(
      ({ method, url }) =>
        `${method} ${url.replace(`${serverUrl}/DEFAULT/controller/v1/dev-1`, "")}`,
    );
  }

  pollsOf(requests: readonly HttpRequest[] = this.http.requests): number {
    return requests.filter(({ url }) => url.endsWith("/dev-1")).length;
  }

  /** The firmware starts, at its time 0. */
  boot(reason: ResetReason = "power-on", prepare: (agent: Agent) => void = () => undefined): Agent {
    this.#isDown = false;
    this.clock = new ManualClock();
    this.clock.unixStartMs = this.unixStartMs;
    this.http = this.#newHttp();
    const own = { ...identity, otherServerUrl: this.otherServerUrl };
    this.#agent = new Agent(this.#ports(reason), own, this.settings, this.options);
    prepare(this.#agent);
    this.#agent.start();
    return this.#agent;
  }

  /**
   * What a swap leaves: the image of the secondary slot runs on trial, the old one is in its place.
   */
  swap(): void {
    const [oldImage, newImage] = [
      this.chip.peek(0, slotBytes),
      this.chip.peek(slotBytes, slotBytes),
    ];
    for (const half of [oldImage, newImage]) half.fill(0xff, offsets.status);
    this.chip.poke(0, newImage);
    this.chip.poke(slotBytes, oldImage);
    this.chip.poke(offsets.magic, trailerMagic(8));
    this.chip.poke(offsets.copyDone, Uint8Array.of(1));
  }

  /** What a revert leaves: both images back, and the old one confirmed. */
  revert(): void {
    this.swap();
    this.chip.poke(offsets.imageOk, Uint8Array.of(1));
  }

  /** Time passes until the condition holds; throws when it does not within `withinMs`. */
  async until(condition: () => boolean, withinMs = 3_600_000): Promise<void> {
    const endMs = this.clock.nowMs + withinMs;
    for (let turns = 0; turns < turnsMax; turns += 1) {
      await settle();
      if (condition()) return;
      if (!this.clock.fireNext(endMs)) break;
    }
    throw new Error(
      `not within ${withinMs} ms: ${JSON.stringify(this.state)}\n${this.log.lines.join("\n")}`,
    );
  }

  /** Lets so much time pass, whatever happens in it. */
  async pass(forMs: number): Promise<void> {
    const endMs = this.clock.nowMs + forMs;
    let turns = 0;
    do {
      await settle();
      turns += 1;
      if (turns > turnsMax) throw new Error("the device never comes to rest");
    } while (!this.#isDown && this.clock.fireNext(endMs));
    this.clock.nowMs = Math.max(this.clock.nowMs, endMs);
  }

  async untilKind(kind: State["kind"], withinMs?: number): Promise<void> {
    await this.until(() => this.state.kind === kind, withinMs);
  }

  async untilRestart(withinMs?: number): Promise<void> {
    const { restarts } = this;
    await this.until(() => this.restarts > restarts, withinMs);
  }

  #newHttp(): ScriptedHttp {
    return new ScriptedHttp((request) => this.server.answer(request));
  }

  #ports(reason: ResetReason): Ports {
    const { clock, http, keyValue, log } = this;
    const alive = <T>(run: () => T): T => {
      if (this.#isDown) throw new Error("the board is down");
      return run();
    };
    return {
      flash: this.#flash(alive),
      http: { send: (request, receiver) => alive(() => http.send(request, receiver)) },
      clock: {
        uptimeMs: () => alive(() => clock.uptimeMs()),
        unixMs: () => alive(() => clock.unixMs()),
        after: (delayMs, run) =>
          alive(() => clock.after(delayMs, () => (this.#isDown ? undefined : run()))),
      },
      random: fixedRandom(0.5),
      keyValue: {
        read: (key) => alive(() => keyValue.read(key)),
        write: (key, value) => alive(() => keyValue.write(key, value)),
        delete: (key) => alive(() => keyValue.delete(key)),
      },
      power: { read: () => alive(() => this.power()) },
      watchdog: { start: () => undefined },
      reset: {
        reason,
        restart: () =>
          alive(() => {
            this.restarts += 1;
            this.#isDown = true;
          }),
      },
      crypto: nobleCrypto,
      log: { write: (level, message) => alive(() => log.write(level, message)) },
      memory: { read: () => alive(() => this.memory()) },
      link: { isUp: () => alive(() => this.linkUp), signalDbm: () => -61 },
    };
  }

  #flash(alive: <T>(run: () => T) => T): FlashPartitions {
    const guarded =
      (fails: FlashFault): FlashFault =>
      (operation, offset) =>
        alive(() => fails(operation, offset));
    const primary = this.chip.area(0, slotBytes);
    const secondary = this.chip.area(slotBytes, slotBytes);
    return {
      primary: failingArea(
        primary,
        guarded((...at) => this.primaryFails(...at)),
      ),
      secondary: failingArea(
        secondary,
        guarded((...at) => this.flashFails(...at)),
      ),
      bootctl: null,
      ...(this.bootloader !== null && { bootloader: readOnlyArea(this.bootloader) }),
    };
  }
}

function readOnlyArea(bytes: Uint8Array): NonNullable<FlashPartitions["bootloader"]> {
  return {
    sizeBytes: bytes.length,
    read: (offsetBytes, into) => into.set(bytes.subarray(offsetBytes, offsetBytes + into.length)),
  };
}
