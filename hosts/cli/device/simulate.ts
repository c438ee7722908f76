import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { deviceLayout } from "../../flash/board-layout.ts";
import { readFlashFile, writeFlashFile } from "../../flash/flash-file.ts";
import type { AddedDeviceAnswer } from "../../fleet/routes/management/schemas/devices.ts";
import { type EngineKind, engineKinds } from "../../simulator/engines/engine.ts";
import { xsEngineMissing } from "../../simulator/engines/xs-engine.ts";
import { EnrolmentError } from "../../simulator/enrolment.ts";
import { manufacture } from "../../simulator/manufacture.ts";
import { printableLines } from "../../text/terminal-text.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { makeFolder, readInput } from "../command/files.ts";
import { watchInterruption } from "../command/interruption.ts";
import { type RunLine, runLines } from "../command/lines.ts";
import { note, print } from "../command/output.ts";
import { holdSecret } from "../command/secrets.ts";
import { type Configuration, configuration } from "../options/configuration.ts";
import * as parse from "../options/options.ts";
import {
  addPassphraseOptions,
  type PassphraseFlags,
  readPassphrase,
} from "../options/passphrase.ts";
import { readTrustedKeys } from "../options/signing-keys.ts";
import { readTrustRoot } from "../options/trust-root.ts";
import { isText, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isDeviceDetail } from "../server/fleet-views.ts";
import { enrolledIdentity } from "../simulation/enrolled-identity.ts";
import { ImageFactory, referenceFirmware } from "../simulation/images.ts";
import { LiveDevice } from "../simulation/live-device.ts";

interface SimulateFlags extends FleetFlags, PassphraseFlags {
  readonly hardware: string;
  readonly engine: EngineKind;
  readonly battery?: number;
  readonly flash?: string;
  readonly deviceToken?: string;
  readonly imageKey: readonly string[];
  readonly trustRoot?: string;
  readonly until?: ImageVersion;
  readonly timeout?: number;
}

const factoryVersion = "1.0.0";
const askEveryMs = 1000;

/**
 * `sluice device simulate`: a device to play with, from the factory with 1.0.0. It lives on real
 * time in its flash file: whatever ends the command is a power cut, and the next one goes on.
 */
export function registerDeviceSimulate(group: Command, runLine: RunLine): void {
  addPassphraseOptions(
    withFleetFlags(
      group
        .command("simulate")
        .description("Start one simulated device against a running server, on real time")
        .argument("<id>", "the device's id", parse.deviceId)
        .option("--hardware <id>", "what it is", parse.hardwareId, "esp32c3-a")
        .option("--engine <name>", "what runs its firmware: node or xs", engine, "node")
        .option(
          "--battery <percent>",
          "else it is on mains power",
          parse.wholeNumber({ min: 0, max: 100 }),
        )
        .option("--flash <file>", "its flash, kept; else ID.flash, in devices of --config")
        .option("--device-token <token>", "of a device that is registered already")
        .option(
          "--image-key <pem>",
          "public key of the releases that it takes; may be repeated",
          parse.collect(String),
          [],
        )
        .option("--trust-root <json>", "the first root of signed metadata")
        .option(
          "--until <updated=version>",
          "end once it runs this, confirmed and acknowledged",
          until,
        )
        .option(
          "--timeout <seconds>",
          "give up after so long: exit code 1",
          parse.wholeNumber({ min: 1, max: 86_400 }),
        ),
    ),
  ).action((id: string, flags: SimulateFlags, command: Command) =>
    simulate(id, flags, command, runLine),
  );
}

async function simulate(
  id: string,
  flags: SimulateFlags,
  command: Command,
  runLine: RunLine,
): Promise<void> {
  const missing = flags.engine === "xs" ? xsEngineMissing() : null;
  if (missing !== null) throw new CommandError(`engine xs cannot run: ${missing}`);
  const found = configuration();
  const file =
    flags.flash ?? (found === null ? `${id}.flash` : join(found.folder, "devices", `${id}.flash`));
  const tell = (line: string): void => print(command, printableLines(line));
  if (!existsSync(file)) {
    makeFolder(dirname(file));
    await enroll(id, file, { flags, found, command, runLine });
  } else tell(`${id} goes on with ${file}`);
  const interruption = watchInterruption();
  const device = openDevice(id, file, flags, tell);
  const ends: Promise<"interrupted" | "updated" | "late">[] = [
    interruption.asked.then(() => "interrupted" as const),
  ];
  const abort = new AbortController();
  if (flags.until !== undefined) ends.push(updated(id, flags, abort.signal));
  if (flags.timeout !== undefined) ends.push(after(flags.timeout * 1000, abort.signal));
  const keys = watchKeys(device, tell);
  try {
    await device.powerOn();
    // A defect of the simulator ends the command; a device that crashes does not.
    const end = await Promise.race([...ends, device.run().then(() => "interrupted" as const)]);
    if (end === "updated")
      tell(
        `${id} runs ${formatVersion(flags.until as ImageVersion)}, confirmed, and the server knows`,
      );
    if (end === "late") {
      note(command, `${id}: not updated within ${flags.timeout} s; ${await standing(id, flags)}`);
      process.exitCode = exitCodes.negative;
    }
  } finally {
    abort.abort();
    keys.release();
    interruption.release();
    await device.close();
  }
}

function openDevice(
  id: string,
  file: string,
  { engine: kind, battery, hardware }: SimulateFlags,
  told: (line: string) => void,
): LiveDevice {
  const { storage } = deviceLayout("esp32-4m");
  const identity = enrolledIdentity(readFlashFile(file), storage);
  if (identity === null)
    throw new CommandError(`${file} is no flash of an enrolled device; remove it to begin anew`);
  if (identity.deviceId !== id)
    throw new CommandError(
      `${file} is the flash of ${identity.deviceId}, not of ${id}`,
      exitCodes.usage,
    );
  return new LiveDevice({
    id,
    hardware,
    flashFile: file,
    imageKeys: identity.imageKeys,
    engine: kind,
    batteryPercent: battery ?? null,
    told,
  });
}

/** Registers the device, unless it has a token, and leaves its flash as the factory would. */
async function enroll(
  id: string,
  file: string,
  what: {
    readonly flags: SimulateFlags;
    readonly found: Configuration | null;
    readonly command: Command;
    readonly runLine: RunLine;
  },
): Promise<void> {
  const { flags, found, command } = what;
  const { image, imageKeys } = await factoryImage(what);
  const root =
    flags.trustRoot ?? (found === null ? undefined : join(found.trust, "metadata", "1.root.json"));
  const trustRoot = root === undefined ? undefined : readTrustRoot(root);
  const { hardware } = flags;
  const token = flags.deviceToken ?? (await register(id, flags));
  try {
    const flash = manufacture(deviceLayout("esp32-4m"), image, {
      serverUrl: flags.fleet,
      tenant: "DEFAULT",
      deviceId: id,
      token,
      hardware,
      imageKeys,
      ...(trustRoot === undefined ? {} : { trustRoot }),
    });
    writeFlashFile(file, flash);
  } catch (error) {
    if (!(error instanceof EnrolmentError)) throw error;
    throw new CommandError(`nothing is enrolled: ${error.message}`, exitCodes.usage);
  }
  note(command, `${id} (${hardware}) is enrolled at ${flags.fleet}; its flash is ${file}`);
}

async function register(id: string, flags: SimulateFlags): Promise<string> {
  const token = randomBytes(24).toString("base64url");
  const client = new FleetClient(flags);
  const wanted = { id, hardware: flags.hardware, token };
  const added = await client.post(
    "/devices",
    wanted,
    partOf<AddedDeviceAnswer>()({ token: isText }),
  );
  return added.token;
}

/** The image that it leaves the factory with, and the keys of its bootloader. */
async function factoryImage({
  flags,
  found,
  command,
  runLine,
}: {
  readonly flags: SimulateFlags;
  readonly found: Configuration | null;
  readonly command: Command;
  readonly runLine: RunLine;
}): Promise<{ readonly image: Uint8Array; readonly imageKeys: readonly Uint8Array[] }> {
  const given = pointsOf(flags.imageKey);
  if (found === null) {
    // A key of its own, which signed its first image and nothing else.
    const factory = new ImageFactory(deviceLayout("esp32-4m"), randomBytes(4).readUInt32BE());
    const wanted = { version: factoryVersion, hardware: flags.hardware, entry: referenceFirmware };
    const image = await factory.build(wanted);
    return { image, imageKeys: [factory.key.publicKey, ...given] };
  }
  const imageKeys = given.length > 0 ? given : pointsOf(found.imageKeys);
  const folder = join(found.folder, "devices", `factory-${flags.hardware}`);
  const file = join(folder, `sluice-${factoryVersion}-${flags.hardware}.image`);
  if (!existsSync(file)) {
    holdSecret(
      "SLUICE_PASSPHRASE",
      await readPassphrase(flags, `the passphrase of the keys in ${found.folder}`),
    );
    const config = ["--config", found.folder];
    const what = ["--version", factoryVersion, "--hardware", flags.hardware];
    await runLines(
      [
        ["release", "build", ...what, "--out", folder],
        ["release", "sign", folder, "--security-counter", "1", "--out", `${folder}/`, ...config],
      ],
      runLine,
      {
        output: { writeOut: () => undefined, writeErr: () => undefined },
        tell: (text) => note(command, text),
      },
    );
  }
  return { image: readInput(file, "the factory's image"), imageKeys };
}

function pointsOf(files: readonly string[]): readonly Uint8Array[] {
  return readTrustedKeys("--image-key", files).map((key) => {
    if (key.algorithm === "ecdsa-p256") return key.publicKey;
    throw new CommandError("a device takes images of P-256 keys only", exitCodes.usage);
  });
}

/** Once the server knows that the device runs the version, confirmed, and that it is through. */
async function updated(id: string, flags: SimulateFlags, signal: AbortSignal): Promise<"updated"> {
  const client = new FleetClient(flags);
  const wanted = formatVersion(flags.until as ImageVersion);
  while (!signal.aborted) {
    const device = await client
      .get(`/devices/${encodeURIComponent(id)}`, isDeviceDetail)
      .catch(() => null);
    if (
      device?.running?.version === wanted &&
      device.running.confirmed &&
      device.state === "updated"
    )
      return "updated";
    await after(askEveryMs, signal);
  }
  return new Promise(() => undefined); // the command ends another way
}

async function standing(id: string, flags: SimulateFlags): Promise<string> {
  try {
    const client = new FleetClient(flags);
    const { state, reason, running } = await client.get(
      `/devices/${encodeURIComponent(id)}`,
      isDeviceDetail,
    );
    const runs = running === null ? "has not said what it runs" : `runs ${running.version}`;
    return `the server says: ${state}${reason === null ? "" : ` (${reason})`}, ${runs}`;
  } catch (error) {
    return `the server says nothing: ${(error as Error).message}`;
  }
}

/** A moment, or until the signal. */
function after(ms: number, signal: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve("late");
    }
    signal.addEventListener("abort", done, { once: true });
  });
}

/** At a terminal `p` takes the power away and gives it back, `q` ends. */
function watchKeys(device: LiveDevice, tell: (line: string) => void): { release(): void } {
  const { stdin } = process;
  if (!stdin.isTTY) return { release: () => undefined };
  let isOff = false;
  const take = (bytes: Buffer): void => {
    const key = bytes.toString("utf8");
    if (key === "q" || key === "\u0003") process.kill(process.pid, "SIGINT");
    if (key !== "p") return;
    isOff = !isOff;
    tell(isOff ? "power off: p gives it back" : "power on");
    if (isOff) device.powerOff();
    else void device.powerOn();
  };
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on("data", take);
  tell("p: power off and on; q: end");
  return {
    release() {
      stdin.off("data", take);
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}

function engine(text: string): EngineKind {
  const found = engineKinds.find((kind) => kind === text);
  if (found !== undefined) return found;
  throw new CommandError(`--engine ${text}: give node or xs`, exitCodes.usage);
}

function until(text: string): ImageVersion {
  const [word, ...rest] = text.split("=");
  if (word !== "updated" || rest.length !== 1)
    throw new CommandError(`--until ${text}: give updated=VERSION`, exitCodes.usage);
  return parse.version(rest[0] ?? "");
}
