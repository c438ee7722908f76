import { parseArgs } from "node:util";
import { type ProofLayoutName, proofLayoutNames } from "./layout.ts";
import { type PlannedCase, parseCase } from "./plan.ts";

export interface PowerCutsOptions {
  readonly layout: ProofLayoutName;
  readonly seed: number;
  /** Pairs of cuts. */
  readonly sample: number;
  readonly dumpFolder: string | null;
  readonly json: boolean;
  /** One case instead of all. */
  readonly replay: PlannedCase | null;
}

export const usage = `Usage: npm run power-cuts -- [options]
  --layout NAME   ${proofLayoutNames.join(" or ")} (default small)
  --seed N        of the key, the devices and the sample (default 1)
  --sample N      pairs of cuts to draw (default 500); with --dump as many single cuts are dumped
  --dump DIR      write the flash of each sampled case right after the cut and at rest
  --json          tell the operations of each phase and the result as JSON
  --replay CASE   one case, such as update/raised:123half, with its boots and its console`;

const seedMax = 0xffff_ffff;
const sampleMax = 1_000_000;

/** Answers a text with what is wrong instead of options. */
export function readOptions(argv: readonly string[]): PowerCutsOptions | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        layout: { type: "string", default: "small" },
        seed: { type: "string", default: "1" },
        sample: { type: "string", default: "500" },
        dump: { type: "string" },
        json: { type: "boolean", default: false },
        replay: { type: "string" },
      },
    });
    const layout = proofLayoutNames.find((name) => name === values.layout);
    if (layout === undefined)
      return `--layout is "${values.layout}", must be ${proofLayoutNames.join(" or ")}`;
    const seed = wholeNumber(values.seed, seedMax);
    if (seed === null) return `--seed is "${values.seed}", must be 0 to ${seedMax}`;
    const sample = wholeNumber(values.sample, sampleMax);
    if (sample === null) return `--sample is "${values.sample}", must be 0 to ${sampleMax}`;
    const replay = values.replay === undefined ? null : parseCase(values.replay);
    if (values.replay !== undefined && replay === null)
      return `--replay is "${values.replay}", must be like update/raised:123half or update/equal:15clean+9bits`;
    return { layout, seed, sample, dumpFolder: values.dump ?? null, json: values.json, replay };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function wholeNumber(text: string, max: number): number | null {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value <= max ? value : null;
}
