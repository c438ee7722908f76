import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmulatedChip } from "../../hosts/esp32/emulator/emulated-chip.ts";
import { hostAddress } from "../../hosts/esp32/emulator/serial-network.ts";
import { writeFlashFile } from "../../hosts/simulator/flash/flash-file.ts";
import { deviceLayout } from "../../hosts/simulator/layouts.ts";
import { manufacture } from "../../hosts/simulator/manufacture.ts";
import { RealFleet, type SecureServerOptions } from "../../hosts/simulator/moddable/real-fleet.ts";
import type { TlsCredentials } from "../../src/tls/credentials.ts";
import { hardware, type KeyPair, type Kit, type SignedBoardImage } from "./kit.ts";

export const deviceId = "chip-1";
export const layout = deviceLayout("esp32-4m");

export interface BoardDeviceOptions {
  readonly kit: Kit;
  /** Emptied first. */
  readonly directory: string;
  readonly image: SignedBoardImage;
  /** Whose images the server takes; the device's own keys when left out. */
  readonly fleetKeys?: KeyPair;
  /** Serves the fleet over https, to a device with these credentials. */
  readonly tls?: { readonly server: SecureServerOptions; readonly credentials: TlsCredentials };
}

/** A snapshot of the flash around one run of the bootloader. */
export interface BootSnapshot {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A fleet server and one emulated chip that belongs to it. */
export class BoardDevice {
  readonly fleet: RealFleet;
  readonly flashFile: string;
  /** The console since the start, over all power-ons. */
  readonly console: string[] = [];
  /** One per start of an application, when they are wanted. */
  readonly snapshots: BootSnapshot[] = [];
  takesSnapshots = false;
  #before: Uint8Array | null = null;
  #chip: EmulatedChip | null = null;
  readonly #kit: Kit;

  static async start(options: BoardDeviceOptions): Promise<BoardDevice> {
    const { kit, directory, image, fleetKeys = kit.keys } = options;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const { tls } = options;
    const fleet = await RealFleet.start(join(directory, "fleet"), fleetKeys.publicPem, tls?.server);
    const token = await fleet.addDevice(deviceId, hardware);
    const flash = manufacture(layout, image.bytes, {
      serverUrl: fleet.url.replace("127.0.0.1", hostAddress),
      tenant: "DEFAULT",
      deviceId,
      token,
      hardware,
      imageKeys: [kit.keys.key.publicKey],
      ...(tls && { tls: tls.credentials }),
    });
    flash.poke(0, kit.bootloader); // in place of the model's record
    const flashFile = join(directory, "flash.bin");
    writeFlashFile(flashFile, flash);
    return new BoardDevice(kit, fleet, flashFile);
  }

  private constructor(kit: Kit, fleet: RealFleet, flashFile: string) {
    this.#kit = kit;
    this.fleet = fleet;
    this.flashFile = flashFile;
  }

  get chip(): EmulatedChip {
    if (this.#chip === null) throw new Error("the chip is off");
    return this.#chip;
  }

  async powerOn(seed?: number): Promise<EmulatedChip> {
    this.#chip = await EmulatedChip.powerOn({
      emulator: this.#kit.emulator,
      flashFile: this.flashFile,
      ...(seed === undefined ? {} : { seed }),
      onLine: (line) => this.#line(line),
    });
    return this.#chip;
  }

  async powerOff(): Promise<void> {
    await this.#chip?.powerOff();
    this.#chip = null;
  }

  async close(): Promise<void> {
    await this.powerOff();
    await this.fleet.close();
  }

  /** Publishes a release and offers it to everybody. */
  async offer(version: string, image: SignedBoardImage): Promise<number> {
    await this.fleet.publish(image.bytes);
    return this.fleet.rollOut(version);
  }

  /** What the firmware said about itself at its starts, oldest first: `1.0.0 confirmed power-on`. */
  get starts(): string[] {
    return this.console.flatMap((line) => {
      const match = /^info: running (\S+) \((\w+)\) after ([\w-]+)/.exec(line);
      return match === null ? [] : [`${match[1]} ${match[2]} ${match[3]}`];
    });
  }

  /** How often any application was started. */
  get applicationStarts(): number {
    return this.console.filter((line) => line.startsWith("*** Booting Zephyr OS")).length;
  }

  /** The most memory that was reported, by part. */
  get memory(): Readonly<Record<string, number>> {
    const most: Record<string, number> = {};
    for (const line of this.console)
      if (line.startsWith("memory: "))
        for (const [, name = "", bytes] of line.matchAll(/(\w+) (\d+)/g))
          most[name] = Math.max(most[name] ?? 0, Number(bytes));
    return most;
  }

  readFlash(): Uint8Array {
    return readFileSync(this.flashFile);
  }

  /** While the chip is off. */
  changeFlash(change: (flash: Uint8Array) => void): void {
    const flash = new Uint8Array(readFileSync(this.flashFile));
    change(flash);
    writeFileSync(this.flashFile, flash);
  }

  copyFlash(to: string): void {
    copyFileSync(this.flashFile, to);
  }

  #line(line: string): void {
    this.console.push(line);
    if (!this.takesSnapshots) return;
    // The ROM speaks before the bootloader is loaded, the application after it has done everything.
    if (line.includes("ESP-ROM:")) this.#before = this.readFlash();
    if (line.startsWith("*** Booting Zephyr OS") && this.#before !== null) {
      this.snapshots.push({ before: this.#before, after: this.readFlash() });
      this.#before = null;
    }
  }
}
