import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyValue } from "../../../src/ports/board.ts";
import type { TlsCredentials } from "../../../src/tls/credentials.ts";
import { writeFlashFile } from "../../flash/flash-file.ts";
import { NorFlash } from "../../flash/nor-flash.ts";
import type { TrustedReleases } from "../../moddable/one-device.ts";
import { RealFleet, type SecureServerOptions } from "../../moddable/real-fleet.ts";
import type { BoardStorage } from "../../simulator/board/board-host.ts";
import { manufacture } from "../../simulator/manufacture.ts";
import { mountBoardStorage } from "../../simulator/storage/board-storage.ts";
import { hostAddress } from "../wire/serial-network.ts";
import { hardware, type KeyPair, layout, type SignedBoardImage } from "./board-image.ts";
import { EmulatedChip } from "./emulated-chip.ts";

export const deviceId = "chip-1";

/** What every emulated board needs. */
export interface BoardParts {
  /** The program that ESP32_EMULATOR names. */
  readonly emulator: string;
  /** One that takes images of the keys. */
  readonly bootloader: Uint8Array;
  readonly keys: KeyPair;
}

export interface BoardDeviceOptions {
  readonly parts: BoardParts;
  /** Emptied first. */
  readonly directory: string;
  readonly image: SignedBoardImage;
  /** Whose images the server takes; the device's own keys when left out. */
  readonly fleetKeys?: KeyPair;
  /** Serves the fleet over https, to a device with these credentials. */
  readonly tls?: { readonly server: SecureServerOptions; readonly credentials: TlsCredentials };
  /** Another server than the fleet's, on this machine's loopback. */
  readonly serverUrl?: string;
  /** Signed metadata, for a device that goes by it. */
  readonly trust?: TrustedReleases;
}

/**
 * A device that is switched off and its server that is closed, both as they were, to go on from
 * more than once.
 */
export interface Checkpoint {
  readonly directory: string;
  /** The server's port, as the device knows it. */
  readonly port: number;
}

/**
 * A run of the bootloader: the flash before its first instruction and at the first of the
 * application.
 */
export interface BootRecord {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A fleet server and one emulated chip that belongs to it. */
export class BoardDevice {
  readonly fleet: RealFleet;
  readonly flashFile: string;
  /** The console since the start, over all power-ons. */
  readonly console: string[] = [];
  /** One for each time that a bootloader came to start an application. */
  readonly boots: BootRecord[] = [];
  readonly #parts: BoardParts;
  readonly #trust: TrustedReleases | null;
  readonly #directory: string;
  /** The port of the server, as the device knows it. */
  readonly #port: number;
  #beforeBoot: Uint8Array | null = null;
  #chip: EmulatedChip | null = null;

  static async start(options: BoardDeviceOptions): Promise<BoardDevice> {
    const { parts, directory, image, fleetKeys = parts.keys, tls, trust, serverUrl } = options;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const folder = join(directory, fleetFolder);
    const fleet = await RealFleet.start(folder, fleetKeys.publicPem, tls?.server, trust?.fleet);
    const token = await fleet.addDevice(deviceId, hardware);
    const flash = manufacture(layout, image.bytes, {
      serverUrl: (serverUrl ?? fleet.url).replace("127.0.0.1", hostAddress),
      tenant: "DEFAULT",
      deviceId,
      token,
      hardware,
      imageKeys: [parts.keys.key.publicKey],
      ...(tls && { tls: tls.credentials }),
      ...(trust && { trustRoot: trust.firstRoot }),
    });
    flash.poke(0, parts.bootloader); // in place of the model's record
    writeFlashFile(join(directory, flashName), flash);
    return new BoardDevice(parts, fleet, { directory, port: portOf(fleet) }, trust);
  }

  /** The device and the server of a checkpoint again, in a folder of their own. */
  static async resume(
    parts: BoardParts,
    checkpoint: Checkpoint,
    directory: string,
  ): Promise<BoardDevice> {
    rmSync(directory, { recursive: true, force: true });
    cpSync(checkpoint.directory, directory, { recursive: true });
    const fleet = await RealFleet.start(join(directory, fleetFolder), parts.keys.publicPem);
    return new BoardDevice(parts, fleet, { directory, port: checkpoint.port });
  }

  private constructor(
    parts: BoardParts,
    fleet: RealFleet,
    { directory, port }: Checkpoint,
    trust: TrustedReleases | null = null,
  ) {
    this.#parts = parts;
    this.#trust = trust;
    this.fleet = fleet;
    this.flashFile = join(directory, flashName);
    this.#directory = directory;
    this.#port = port;
  }

  get chip(): EmulatedChip {
    if (this.#chip === null) throw new Error("the chip is off");
    return this.#chip;
  }

  async powerOn(seed?: number): Promise<EmulatedChip> {
    this.#beforeBoot = this.readFlash();
    this.#chip = await EmulatedChip.powerOn({
      emulator: this.#parts.emulator,
      flashFile: this.flashFile,
      movedPorts: new Map([[this.#port, portOf(this.fleet)]]),
      ...(seed === undefined ? {} : { seed }),
      onLine: (line) => this.#line(line),
    });
    return this.#chip;
  }

  async powerOff(): Promise<void> {
    await this.#chip?.powerOff();
    this.#chip = null;
    this.#beforeBoot = null;
  }

  async close(): Promise<void> {
    await this.powerOff();
    await this.fleet.close();
  }

  /** Once it is closed. */
  get asLeft(): Checkpoint {
    return { directory: this.#directory, port: this.#port };
  }

  /** Publishes a release and offers it to everybody. */
  async offer(version: string, image: SignedBoardImage): Promise<number> {
    await this.fleet.publish(image.bytes);
    await this.#trust?.publish(image.bytes, this.fleet.managementUrl);
    return this.fleet.rollOut(version);
  }

  /** Changes with whatever the device says, to anybody. */
  get saidCount(): number {
    return this.console.length + this.fleet.requests.length;
  }

  /**
   * What the firmware said about itself at its starts, oldest first: `1.0.0 confirmed power-on`.
   */
  get starts(): string[] {
    return this.console.flatMap((line) => {
      const match = /^info: running (\S+) \((\w+)\) after ([\w-]+)/.exec(line);
      return match === null ? [] : [`${match[1]} ${match[2]} ${match[3]}`];
    });
  }

  /** Starts after a fault of the firmware: none of its own should ever lead to one. */
  get crashes(): string[] {
    return this.starts.filter((start) => /(?:exception|watchdog)$/.test(start));
  }

  /** How often any application was started. */
  get applicationStarts(): number {
    return this.console.filter((line) => line.startsWith(applicationLine)).length;
  }

  /** The most memory that was reported, by part. */
  get memory(): Readonly<Record<string, number>> {
    return memoryPeaks(this.console);
  }

  readFlash(): Uint8Array {
    return readFileSync(this.flashFile);
  }

  /** What the firmware finds in its storage, of the flash as it is now. */
  readStorage(): Pick<KeyValue, "read"> {
    const storage = storageIn(this.readFlash());
    return { read: (key) => storage.read(`sluice/${key}`) };
  }

  /** While the chip is off. */
  changeFlash(change: (flash: Uint8Array) => void): void {
    const flash = new Uint8Array(readFileSync(this.flashFile));
    change(flash);
    writeFileSync(this.flashFile, flash);
  }

  #line(line: string): void {
    this.console.push(line);
    // The ROM speaks before the bootloader is loaded, the application after it has done everything.
    // After a power-on its first words may be lost, or be heard late: that flash was read before
    // the power came.
    if (resetLine.test(line)) this.#beforeBoot = this.#flashAtReset();
    if (line.startsWith(applicationLine) && this.#beforeBoot !== null) {
      this.boots.push({ before: this.#beforeBoot, after: this.readFlash() });
      this.#beforeBoot = null;
    }
  }

  /**
   * The flash at a reset of a running application. A busy machine hears of the reset late, and
   * counting a boot is the first thing that the bootloader does, seconds before it touches a slot:
   * that page, which no application writes, is as the bootloader left it before.
   */
  #flashAtReset(): Uint8Array {
    const flash = new Uint8Array(this.readFlash());
    const last = this.boots.at(-1);
    const ranApplication = this.#beforeBoot === null;
    if (!ranApplication || last === undefined) return flash;
    const { offsetBytes: from, sizeBytes } = layout.bootctl;
    flash.set(last.after.subarray(from, from + sizeBytes), from);
    return flash;
  }
}

/**
 * What is stored in a flash that nobody writes: how many values, and their bytes with their names.
 */
export function storedIn(flash: Uint8Array): { readonly values: number; readonly bytes: number } {
  const storage = storageIn(flash);
  const keys = [...storage.keys()];
  const bytes = keys.reduce((sum, key) => sum + key.length + (storage.read(key)?.length ?? 0), 0);
  return { values: keys.length, bytes };
}

function storageIn(flash: Uint8Array): BoardStorage {
  const { offsetBytes, sizeBytes } = layout.storage;
  const copy = NorFlash.fromBytes(flash.slice(), 4); // mounting may write
  return mountBoardStorage(copy.area(offsetBytes, sizeBytes));
}

/** The most of each part of memory that lines of a console tell. */
export function memoryPeaks(lines: readonly string[]): Readonly<Record<string, number>> {
  const most: Record<string, number> = {};
  for (const line of lines)
    if (line.startsWith("memory: "))
      for (const [, name = "", bytes] of line.matchAll(/(\w+) (\d+)/g))
        most[name] = Math.max(most[name] ?? 0, Number(bytes));
  return most;
}

const fleetFolder = "fleet";
const flashName = "flash.bin";

/** The ROM's second line after each reset that is none by power-on. */
export const resetLine = /^rst:0x[0-9a-f]+ \((?!POWERON\))/;
/** The first words of Zephyr in an application. */
const applicationLine = "*** Booting Zephyr OS";

function portOf(fleet: RealFleet): number {
  return Number(new URL(fleet.url).port);
}
