import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { withFileLock } from "../../files/file-lock.ts";
import { deviceLayout } from "../../flash/board-layout.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import { type FlashMiB, flashMiBs } from "../../flash/partitions.ts";
import type { AddedDeviceAnswer } from "../../fleet/routes/management/schemas/devices.ts";
import { ModdableBoard } from "../../moddable/board.ts";
import { type Display, openDisplay } from "../../moddable/display.ts";
import { type Launcher, startedBy, startedByMcsim } from "../../moddable/launch.ts";
import type { BootEnd } from "../../moddable/process-exit.ts";
import type { ModdableSdk } from "../../moddable/sdk.ts";
import { type Enrolment, EnrolmentError } from "../../simulator/enrolment.ts";
import { manufacture } from "../../simulator/manufacture.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { makeFolder } from "../command/files.ts";
import { formatBytes, note, print } from "../command/output.ts";
import * as parse from "../options/options.ts";
import { addSignerOptions, openImageSigners, type SignerFlags } from "../options/signer-options.ts";
import { readTlsFiles, type TlsFlags } from "../options/tls-files.ts";
import { readTrustRoot } from "../options/trust-root.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import type { DeviceView } from "../server/fleet-views.ts";
import { buildApplication, defaultHardware, requireSdk, signApplication } from "./application.ts";
import { type BoardFacts, hasFlash, readBoardFolder, writeBoardFolder } from "./board-folder.ts";

interface RunFlags extends FleetFlags, SignerFlags, TlsFlags {
  readonly sim: "mcsim" | "runner";
  readonly id: string;
  readonly hardware: string;
  readonly server?: string;
  readonly tenant: string;
  readonly trustRoot?: string;
  readonly version?: ImageVersion;
  readonly flash: FlashMiB;
  readonly dir: string;
  readonly fresh?: true;
  readonly debug?: true;
  readonly until?: string;
}

const firstVersion: ImageVersion = { major: 1, minor: 0, revision: 0, build: 0 };
/** A trial boot has a minute; a main loop that stands still for as long resets the board. */
const watchdogSeconds = 60;
/** Resets of one run. A board that crashes at once needs hours for as many. */
const bootsMax = 10_000;
/** How often the server is asked whether it knows the device to run what was waited for. */
const askMs = 1000;

/** `sluice moddable run` */
export function registerModdableRun(group: Command): void {
  const command = group
    .command("run")
    .description(
      "Compile a Moddable application, flash a simulated board with it, and switch it on",
    )
    .argument("[application]", "its folder or its manifest.json", ".")
    .addOption(
      new Option("--sim <which>", "the SDK's mcsim, or a runner without a display")
        .choices(["mcsim", "runner"])
        .default("mcsim"),
    )
    .option("--debug", "compile for xsbug, which may be started before")
    .option("--dir <folder>", "the board: its flash file, kept from run to run", "moddable-board")
    .option("--fresh", "flash the board anew, as in the factory")
    .option("--id <id>", "the device's id", "moddable-1")
    .option("--hardware <id>", "what it is", parse.hardwareId, defaultHardware)
    .option("--server <url>", "what the device asks; else the fleet server")
    .option("--tenant <name>", "of the fleet", "DEFAULT")
    .option("--version <version>", "of what is flashed; 1.0.0", parse.version)
    .option("--flash <MiB>", "size of the flash", parse.numberOf(flashMiBs), 4)
    .option("--ca <pem>", "who vouches for an https server", parse.collect(String), [])
    .option("--client-cert <pem>", "what the device shows a server that asks")
    .option("--client-key <pem>", "the private key of that certificate")
    .option("--trust-root <json>", "the first root of signed metadata")
    .option("--until <version>", "end once that version runs, confirmed", (text) =>
      formatVersion(parse.version(text)),
    );
  addSignerOptions(withFleetFlags(command)).action(run);
}

async function run(application: string, flags: RunFlags, command: Command): Promise<void> {
  const sdk = requireSdk((line) => note(command, line));
  makeFolder(flags.dir);
  const lock = { purpose: "sluice moddable run", waitMsMax: 0 };
  await withFileLock(join(flags.dir, "board"), lock, async () => {
    const made = await boardFor(application, flags, sdk, command);
    const { launcher, close } = await simulator(flags, sdk);
    try {
      await switchOn(flags, { ...made, launcher, command });
    } finally {
      await close();
    }
  });
}

/** The board of the folder, or a new one. */
async function boardFor(
  application: string,
  flags: RunFlags,
  sdk: ModdableSdk,
  command: Command,
): Promise<MadeBoard> {
  const known = readBoardFolder(flags.dir);
  if (flags.fresh === true || known === null || !hasFlash(flags.dir))
    return makeBoard(application, flags, { sdk, known, command });
  note(command, `${flags.dir}: goes on with its flash, asks ${known.server}; --fresh flashes anew`);
  return { facts: known, flash: null };
}

interface MadeBoard {
  readonly facts: BoardFacts;
  /** Null for a board that has its flash. */
  readonly flash: NorFlash | null;
}

async function makeBoard(
  application: string,
  flags: RunFlags,
  { sdk, known, command }: { sdk: ModdableSdk; known: BoardFacts | null; command: Command },
): Promise<MadeBoard> {
  const keys = await openImageSigners(flags);
  const tls = readTlsFiles(flags);
  const trustRoot = flags.trustRoot === undefined ? null : readTrustRoot(flags.trustRoot);
  // Compiling takes a minute: a server that is not there is told before it.
  if (!(known?.id === flags.id && known.hardware === flags.hardware))
    await new FleetClient(flags).get("/devices?limit=1");
  const built = await buildApplication(sdk, application, flags.debug ? "debug" : "release");
  const { version = firstVersion, hardware, flash: flashMiB, id } = flags;
  const { image } = await signApplication(
    built,
    { version, hardware, securityCounter: 1, flashMiB },
    keys,
  );
  note(
    command,
    `${built.name}: compiled and signed as ${formatVersion(version)}, ${formatBytes(image.length)}`,
  );
  const isKnown = known?.id === id && known.hardware === hardware;
  const token = isKnown ? known.token : await register(flags, command);
  const imageKeys = keys.map(({ signer }) => ({
    algorithm: "ecdsa-p256" as const,
    publicKey: signer.publicKey,
  }));
  const server = flags.server ?? flags.fleet.replace(/\/+$/, "");
  const facts = { id, hardware, server, token, flashMiB, imageKeys };
  writeBoardFolder(flags.dir, facts); // first: the server tells the token only once
  const flash = manufactured(flashMiB, image, {
    ...{ serverUrl: server, tenant: flags.tenant, deviceId: id, token, hardware },
    imageKeys: imageKeys.map(({ publicKey }) => publicKey),
    ...(tls && { tls }),
    ...(trustRoot && { trustRoot }),
  });
  return { facts, flash };
}

function manufactured(flashMiB: FlashMiB, image: Uint8Array, enrolment: Enrolment): NorFlash {
  try {
    return manufacture(deviceLayout(`esp32-${flashMiB}m`), image, enrolment);
  } catch (error) {
    if (!(error instanceof EnrolmentError)) throw error;
    throw new CommandError(`nothing is enrolled: ${error.message}`, exitCodes.usage);
  }
}

/** Answers the token of the new device. */
async function register(flags: RunFlags, command: Command): Promise<string> {
  const { id, hardware } = flags;
  const added = await new FleetClient(flags).post<Partial<AddedDeviceAnswer>>("/devices", {
    id,
    hardware,
  });
  if (added.token === undefined)
    throw new CommandError(
      `${id} is a device of ${flags.fleet} already, and ${flags.dir} does not hold its token: give another --id, or remove it with "sluice device remove ${id}"`,
    );
  note(command, `${id}: registered at ${flags.fleet} as ${hardware}`);
  return added.token;
}

/** What starts each boot, and what has to be closed at the end. */
async function simulator(
  flags: RunFlags,
  sdk: ModdableSdk,
): Promise<{ launcher: Launcher; close(): Promise<void> }> {
  const runner = await sdk.runner();
  if (flags.sim === "runner") return { launcher: startedBy(runner), close: async () => {} };
  const missing = sdk.missingForMcsim();
  if (missing !== null) throw new CommandError(missing);
  const opened = await openDisplay(runner);
  if (!opened.ok) throw new CommandError(opened.message);
  const display: Display = opened.display;
  const home = resolve(flags.dir, "mcsim");
  mkdirSync(join(home, ".config"), { recursive: true });
  const launcher = startedByMcsim({ runner, sdkFolder: sdk.folder, display: display.name, home });
  return { launcher, close: () => display.close() };
}

/** Until somebody ends it, or until the version runs that was waited for. */
async function switchOn(
  flags: RunFlags,
  { facts, flash, launcher, command }: MadeBoard & { launcher: Launcher; command: Command },
): Promise<void> {
  const layout = deviceLayout(`esp32-${facts.flashMiB}m`);
  const { imageKeys } = facts;
  const board = new ModdableBoard(
    {
      ...{ directory: flags.dir, launcher, layout, imageKeys, watchdogSeconds, bootsMax },
      logged: (line) => print(command, line),
      booted: (line) => print(command, `-- ${line}`),
    },
    flash,
  );
  const off = (): void => board.powerOff();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, off);
  const awaited = new AwaitedVersion(flags, facts.id, off);
  try {
    told(await board.powerOn(), awaited);
  } finally {
    awaited.close();
    for (const signal of signals) process.off(signal, off);
  }
  if (awaited.reached) note(command, `${facts.id} runs ${awaited.version}, confirmed`);
}

/** Asks the server, and calls once it knows that the device runs the version, confirmed. */
class AwaitedVersion {
  readonly version: string | null;
  reached = false;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(flags: RunFlags, id: string, reached: () => void) {
    this.version = flags.until ?? null;
    if (this.version === null) return;
    const client = new FleetClient(flags);
    const ask = async (): Promise<void> => {
      // A server that does not answer now is asked again: the device does the same.
      const device = await client.get<DeviceView>(`/devices/${id}`).catch(() => null);
      const { version, confirmed } = device?.running ?? { version: null, confirmed: false };
      if (this.#closed) return;
      if (version === this.version && confirmed) {
        this.reached = true;
        reached();
      } else this.#timer = setTimeout(() => void ask(), askMs);
    };
    void ask();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

function told(end: BootEnd, { version, reached }: AwaitedVersion): void {
  if (end.kind === "defect") throw new CommandError(end.message, exitCodes.negative);
  if (version !== null && !reached)
    throw new CommandError(`ended before ${version} ran, confirmed`, exitCodes.negative);
}
