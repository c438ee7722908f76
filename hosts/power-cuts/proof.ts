import type { DeviceLayout } from "../flash/layout.ts";
import type { FaultHook } from "../flash/operation.ts";
import type { PrimaryStateHookFactory } from "../mcuboot-model/primary-state-hook.ts";
import { trialHook } from "../mcuboot-model/trial-hook.ts";
import { signatureDefect } from "./checkers/signed-image.ts";
import { CaseRunner } from "./cut-case.ts";
import {
  type CleanRun,
  type Counter,
  cleanRun,
  counters,
  factoryDevice,
  type HistoryImages,
  type HistoryName,
  historyNames,
  settledDevice,
} from "./history.ts";
import { buildProofImage, type ProofImage, ProofKey, referenceEntry } from "./images.ts";
import { type ProofLayoutName, proofLayout } from "./layout.ts";
import type { RigParts } from "./rig.ts";

/** The firmware that throws in `rollback-crash`. */
const crashingEntry = "hosts/simulator/firmware/throws-at-start.ts";

/**
 * Everything that a run needs and that takes time to make; plain data, so that threads can share
 * it.
 */
export interface ProofImages {
  readonly seed: number;
  readonly first: ProofImage;
  readonly old: ProofImage;
  readonly next: ProofImage;
  /** The image that the history tries, by counter; in `crashing` it throws at its start. */
  readonly new: Readonly<Record<Counter, ProofImage>>;
  readonly crashing: Readonly<Record<Counter, ProofImage>>;
}

/** What replaces parts of the device, to show that the checkers see it. */
export interface ProofFaults {
  readonly hook?: PrimaryStateHookFactory;
  readonly chipFault?: FaultHook;
}

export interface HistoryKind {
  readonly name: HistoryName;
  readonly counter: Counter;
}

export const historyKinds: readonly HistoryKind[] = historyNames.flatMap((name) =>
  counters.map((counter) => ({ name, counter })),
);

const securityCounterOf = { equal: 1, raised: 2 } as const;

export interface ImageWishes {
  /** The firmware of the images, each a source file; faults are firmware of their own. */
  readonly old?: string;
  readonly new?: string;
  /** A smaller image gets a comment behind its code. */
  readonly imageBytesMin?: number;
}

export async function buildImages(seed: number, wishes: ImageWishes = {}): Promise<ProofImages> {
  const { imageBytesMin = 0 } = wishes;
  const key = new ProofKey(seed);
  const build = (version: string, securityCounter: number, entry = referenceEntry) =>
    buildProofImage({ version, securityCounter, entry, imageBytesMin }, key);
  const both = async (from: string) => ({
    equal: await build("1.1.0", securityCounterOf.equal, from),
    raised: await build("1.1.0", securityCounterOf.raised, from),
  });
  return {
    seed,
    first: await build("1.0.0", securityCounterOf.equal),
    old: await build("1.0.1", securityCounterOf.equal, wishes.old),
    next: await build("1.2.0", securityCounterOf.raised),
    new: await both(wishes.new ?? referenceEntry),
    crashing: await both(crashingEntry),
  };
}

export function everyImage(images: ProofImages): ProofImage[] {
  const { first, old, next } = images;
  return [first, old, ...Object.values(images.new), ...Object.values(images.crashing), next];
}

/** One device, its images and its clean histories. */
export class Proof {
  readonly layoutName: ProofLayoutName;
  readonly layout: DeviceLayout;
  readonly images: ProofImages;
  readonly key: ProofKey;
  readonly parts: RigParts;
  readonly #runs = new Map<HistoryKind, Promise<CleanRun>>();
  readonly #runners = new Map<HistoryKind, Promise<CaseRunner>>();

  /** Throws when an image is not signed as its device demands. */
  constructor(layoutName: ProofLayoutName, images: ProofImages, faults: ProofFaults = {}) {
    this.layoutName = layoutName;
    this.images = images;
    this.key = new ProofKey(images.seed);
    const files = everyImage(images).map(({ file }) => file);
    for (const file of files) {
      const defect = signatureDefect(file, this.key.publicPem);
      if (defect !== null) throw new Error(`an image of the proof ${defect}`);
    }
    this.layout = proofLayout(layoutName, Math.max(...files.map(({ length }) => length)));
    this.parts = {
      layout: this.layout,
      keys: [this.key.trusted],
      seed: images.seed,
      hook: faults.hook ?? trialHook,
      chipFault: faults.chipFault ?? null,
    };
  }

  /** The history without cuts; run once. */
  cleanRun(kind: HistoryKind): Promise<CleanRun> {
    return remembered(this.#runs, kind, async () => {
      const images = this.#imagesOf(kind);
      const start = kind.name === "first-update" ? factoryDevice : settledDevice;
      return cleanRun(this.parts, await start(this.parts, images), images, kind);
    });
  }

  /** What runs the history with cuts. */
  runner(kind: HistoryKind): Promise<CaseRunner> {
    return remembered(
      this.#runners,
      kind,
      async () => new CaseRunner(this.parts, await this.cleanRun(kind), this.#imagesOf(kind)),
    );
  }

  #imagesOf({ name, counter }: HistoryKind): HistoryImages {
    const { first, old, next } = this.images;
    const tried = name === "rollback-crash" ? this.images.crashing : this.images.new;
    return { first, old, next, new: tried[counter] };
  }
}

function remembered<Key, Value>(
  known: Map<Key, Promise<Value>>,
  key: Key,
  make: () => Promise<Value>,
): Promise<Value> {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}
