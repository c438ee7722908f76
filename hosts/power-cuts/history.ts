import { runningHeader } from "../../src/protocol/running.ts";
import type { DeviceLayout } from "../flash/layout.ts";
import type { FlashOperation } from "../flash/operation.ts";
import type { BootOutcome } from "../mcuboot-model/boot.ts";
import { trialBoots } from "../mcuboot-model/trial-hook.ts";
import {
  type DdiOffer,
  DdiServer,
  ddiDeviceId,
  type Interference,
  type SeenRequest,
} from "../simulator/ddi-server.ts";
import { manufacture } from "../simulator/manufacture.ts";
import { type BrokenPromise, DevicePromises, type KnownImage } from "./checkers/device-promises.ts";
import { imageOkAddress } from "./checkers/slot-content.ts";
import { type ProofImage, proofHardware } from "./images.ts";
import { type Checkpoint, Rig, type RigParts, type RigWatcher } from "./rig.ts";

/**
 * - first-update: a device from the factory takes its first update
 * - update: a device that took one before takes another; the server is away at first, so that the
 *   trial takes two boots
 * - rollback-silent: the server never answers the new image, which is the same firmware; three
 *   boots, then the old one
 * - rollback-crash: the new image throws at its start; three boots, then the old one
 */
export const historyNames = [
  "first-update",
  "update",
  "rollback-silent",
  "rollback-crash",
] as const;
export type HistoryName = (typeof historyNames)[number];

export const counters = ["equal", "raised"] as const;
/** Whether the new image has a higher security counter than the old one. */
export type Counter = (typeof counters)[number];

/**
 * Steps of a history, told from outside: by who operates on the flash, which image runs, and where.
 *
 * | phase    | operations                                                                                |
 * | -------- | ----------------------------------------------------------------------------------------- |
 * | staging  | old firmware, until it writes the trailer of the secondary slot                            |
 * | request  | from then on until the bootloader operates                                                  |
 * | swap     | bootloader, until the new image starts for the first time                                 |
 * | trial    | new firmware and bootloader, while the new image is not confirmed                         |
 * | confirm  | new firmware, from the write that confirms it                                             |
 * | revert   | bootloader, in the boot that brings the old image back                                     |
 * | report   | old firmware after that                                                                   |
 */
export const phases = [
  "staging",
  "request",
  "swap",
  "trial",
  "confirm",
  "revert",
  "report",
] as const;
export type Phase = (typeof phases)[number];

/** One flash operation of a clean run. */
export interface CleanOperation {
  readonly phase: Phase;
  readonly area: "primary" | "secondary" | "bootctl" | "storage";
  readonly kind: FlashOperation["kind"];
  readonly address: number;
  readonly lengthBytes: number;
}

/** A history as it goes without cuts, with a checkpoint at each of its resets. */
export interface CleanRun {
  readonly name: HistoryName;
  readonly counter: Counter;
  readonly operations: readonly CleanOperation[];
  readonly checkpoints: readonly Checkpoint[];
  /** The update that must still work afterwards. */
  readonly next: KnownImage;
  /** What must run in the end: a single cut delays an update and nothing else. */
  readonly expected: readonly KnownImage[];
  /** What may run after more cuts: they can use up the boots of a good image. */
  readonly acceptable: readonly KnownImage[];
  readonly bootsOfTrial: number;
  /** Values that the firmware wrote into its storage. */
  readonly stored: number;
  /** Empty, or the firmware or the bootloader fails without any cut. */
  readonly broken: readonly BrokenPromise[];
}

/** The images of one history. `next` is the update that must still work afterwards. */
export interface HistoryImages {
  /** What the device left the factory with. */
  readonly first: ProofImage;
  readonly old: ProofImage;
  readonly new: ProofImage;
  readonly next: ProofImage;
}

const deviceToken = "proof-device-token";
/**
 * In `update` the server is away that long after it first hears of the new image: its first trial
 * boot ends without it.
 */
const outageMs = 70_000;

function knownImage(name: string, image: ProofImage): KnownImage {
  return { name: `${name} ${image.version}`, imageHash: image.imageHash, file: image.file };
}

/** A device as it leaves the factory with `old`. */
export async function factoryDevice(parts: RigParts, images: HistoryImages): Promise<Checkpoint> {
  return manufactured(parts, images.old, []);
}

/**
 * A device in the middle of its life: it left the factory with `first`, took an update to `old`,
 * and is at rest.
 */
export async function settledDevice(parts: RigParts, images: HistoryImages): Promise<Checkpoint> {
  const old = knownImage("old", images.old);
  const start = manufactured(parts, images.first, [old]);
  start.server.offer = offerOf("1", images.old);
  const rig = new Rig(parts, start);
  const rests = await rig.untilRest();
  rig.promises.atRest(rig.flash, [old]);
  if (!rests || rig.promises.broken.length > 0)
    throw new Error(`the first update fails without cuts: ${JSON.stringify(rig.promises.broken)}`);
  rig.powerOff();
  return { ...rig.checkpoint("power-on"), operations: 0 };
}

function manufactured(
  parts: RigParts,
  image: ProofImage,
  later: readonly KnownImage[],
): Checkpoint {
  const server = new DdiServer();
  const running = knownImage("first", image);
  const flash = manufacture(parts.layout, image.file, {
    serverUrl: server.url,
    tenant: "DEFAULT",
    deviceId: ddiDeviceId,
    token: deviceToken,
    hardware: proofHardware,
    imageKeys: parts.keys.map(({ publicKey }) => publicKey),
  });
  const promises = promisesOf(parts.layout, [running, ...later], running);
  return { flash, server, promises, reason: "power-on", nowMs: 0, boots: 0, operations: 0 };
}

/** Runs a history without cuts and notes every flash operation of it. */
export async function cleanRun(
  parts: RigParts,
  start: Checkpoint,
  images: HistoryImages,
  kind: { readonly name: HistoryName; readonly counter: Counter },
): Promise<CleanRun> {
  const known = {
    old: knownImage("old", images.old),
    new: knownImage("new", images.new),
    next: knownImage("next", images.next),
  };
  const server = start.server.fork();
  server.offer = offerOf("2", images.new);
  server.interfere = interferenceOf(kind.name, images.new);
  const everything = [known.old, known.new, known.next];
  const promises = promisesOf(parts.layout, everything, known.old);
  const recorder = new Recorder(parts.layout, known.new, promises);
  const rig = new Rig(parts, { ...start, server, promises }, { watcher: recorder });
  recorder.promises = rig.promises;
  const rests = await rig.untilRest();
  const isUpdate = kind.name === "first-update" || kind.name === "update";
  const expected = isUpdate ? [known.new] : [known.old];
  rig.promises.atRest(rig.flash, expected);
  if (!rests) rig.promises.restless();
  rig.powerOff();
  return {
    ...kind,
    operations: recorder.operations,
    checkpoints: recorder.checkpoints,
    next: known.next,
    expected,
    acceptable: [known.old, ...expected],
    stored: recorder.values,
    bootsOfTrial: rig.promises.trialBoots(known.new),
    broken: rig.promises.broken,
  };
}

export function offerOf(actionId: string, image: ProofImage): DdiOffer {
  const { version, file, imageHash } = image;
  return { actionId, version, file, imageHash };
}

function promisesOf(
  layout: DeviceLayout,
  images: readonly KnownImage[],
  running: KnownImage,
): DevicePromises {
  return new DevicePromises({ layout, images, running, trialBootsMax: trialBoots }, () => false);
}

/** What the network does to the requests of the new image while it is on trial. */
function interferenceOf(name: HistoryName, image: ProofImage): Interference {
  const isFromTrial = ({ headers }: SeenRequest): boolean =>
    headers[runningHeader]?.endsWith(`${image.imageHash};trial`) === true;
  return (request, _, server) => {
    const isUndisturbed = name === "first-update" || name === "rollback-crash";
    if (!isFromTrial(request) || isUndisturbed) return null;
    const firstMs = server.requests.find(isFromTrial)?.atMs ?? server.nowMs();
    const isOver = name === "update" && server.nowMs() - firstMs > outageMs;
    return isOver ? null : { kind: "unreachable" };
  };
}

/** Watches a clean run and puts each operation into its phase. */
class Recorder implements RigWatcher {
  readonly operations: CleanOperation[] = [];
  readonly checkpoints: Checkpoint[] = [];
  promises: DevicePromises;
  values = 0;
  readonly #layout: DeviceLayout;
  readonly #new: KnownImage;
  #firmwarePhase: Phase = "staging";
  /** Operations before the bootloader that runs now. */
  #bootStart = 0;
  #newRan = false;

  constructor(layout: DeviceLayout, image: KnownImage, promises: DevicePromises) {
    this.#layout = layout;
    this.#new = image;
    this.promises = promises;
  }

  resetting(checkpoint: () => Checkpoint): void {
    this.checkpoints.push(checkpoint());
    this.#bootStart = this.operations.length;
  }

  operation(_: number, operation: FlashOperation, by: "bootloader" | "firmware"): void {
    const { kind, address, lengthBytes } = operation;
    if (by === "firmware") this.#followFirmware(operation);
    const phase = by === "firmware" ? this.#firmwarePhase : this.#newRan ? "trial" : "swap";
    const area = areaAt(this.#layout, address);
    this.operations.push({ phase, area, kind, address, lengthBytes });
  }

  booted(_: BootOutcome): void {
    if (this.promises.running === this.#new) {
      if (this.#firmwarePhase !== "confirm") this.#firmwarePhase = "trial";
      this.#newRan = true;
    } else if (this.#newRan) {
      this.#firmwarePhase = "report";
      for (let index = this.#bootStart; index < this.operations.length; index += 1)
        this.operations[index] = { ...this.operations[index]!, phase: "revert" };
    }
  }

  stored(): void {
    this.values += 1;
  }

  #followFirmware({ kind, address }: FlashOperation): void {
    const { primary, secondary } = this.#layout;
    const requests =
      kind === "write" && address >= secondary.offsetBytes + secondary.sizeBytes - trailerEnd;
    const isInSecondary = address < secondary.offsetBytes + secondary.sizeBytes;
    if (this.#firmwarePhase === "staging" && requests && isInSecondary)
      this.#firmwarePhase = "request";
    if (this.#firmwarePhase === "trial" && address === imageOkAddress(primary))
      this.#firmwarePhase = "confirm";
  }
}

/** Magic and flags of a trailer: what an application writes to request a swap. */
const trailerEnd = 48;

function areaAt(layout: DeviceLayout, address: number): CleanOperation["area"] {
  const found = (["primary", "secondary", "bootctl", "storage"] as const).find(
    (name) =>
      address >= layout[name].offsetBytes &&
      address < layout[name].offsetBytes + layout[name].sizeBytes,
  );
  if (found === undefined) throw new Error(`nothing of a device lies at ${address}`);
  return found;
}
