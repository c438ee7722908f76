import type { WriteBlockBytes } from "../../flash/geometry.ts";
import { parseFlashLayout } from "../../flash/layout.ts";
import type { BootConfig, SecurityCounter } from "../config.ts";
import type { VectorFolder } from "./vector-folder.ts";
import { type JsonObject, VectorFormatError } from "./vector-json.ts";

/** A security counter that the test bench can look at and set. */
export class BenchCounter implements SecurityCounter {
  value = 0;

  read(): number {
    return this.value;
  }

  reset(): void {
    this.value = 0;
  }

  raise(value: number): void {
    this.value = Math.max(this.value, value);
  }
}

export interface VectorSetup {
  readonly boot: BootConfig;
  readonly writeBlockBytes: WriteBlockBytes;
  /** null where the configuration has no hardware rollback protection. */
  readonly counter: BenchCounter | null;
}

const modes = ["swap-using-move", "swap-using-scratch", "swap-using-offset"] as const;
const signatures = ["ecdsa-p256", "ed25519"] as const;
const downgradeRules = ["none", "version", "security-counter"] as const;
const writeBlocks: readonly WriteBlockBytes[] = [1, 4, 8, 16, 32];
const maxAligns = [8, 16, 32] as const;

/** Only one value of these is modelled. */
const fixedFlags: Readonly<Record<string, unknown>> = {
  hash: "sha256",
  image_number: 1,
  erased_value: 255,
  sector_size: 4096,
  encryption: false,
  bootstrap: false,
  tlv_allow_list: true,
};

/**
 * Makes the bootloader that a scenario or an exhaustive file names; refuses what is not modelled by
 * name.
 */
export function vectorSetup(folder: VectorFolder, scenario: JsonObject): VectorSetup {
  const config = scenario.text("config");
  const entry = folder.index.object("configs").object(config);
  const layout = (scenario.has("layout") ? scenario : entry).text("layout");
  const flags = entry.object("flags");
  for (const [name, value] of Object.entries(fixedFlags))
    if (flags.has(name) && flags.raw(name) !== value)
      throw new VectorFormatError(
        `unknown config ${config}: ${name} is ${JSON.stringify(flags.raw(name))}, not ${value}`,
      );
  const parsed = parseFlashLayout(folder.index.object("layouts").raw(layout));
  if (!parsed.ok) throw new VectorFormatError(`unknown layout ${layout}: ${parsed.message}`);
  const counter =
    flags.has("hw_rollback_protection") && flags.flag("hw_rollback_protection")
      ? new BenchCounter()
      : null;
  const signature = oneOf(flags, "signature", signatures);
  const keys = keyFiles(flags).map((file) => folder.key(file));
  if (keys.some((key) => key.algorithm !== signature))
    throw new VectorFormatError(`unknown config ${config}: a key is not for ${signature}`);
  return {
    boot: {
      mode: oneOf(flags, "upgrade_mode", modes),
      layout: parsed.layout,
      maxAlign: oneOf(flags, "max_align", maxAligns),
      imageSectorsMax: flags.number("max_img_sectors"),
      keys,
      validatePrimary: flags.flag("validate_primary_slot"),
      downgradePrevention: oneOf(flags, "downgrade_prevention", downgradeRules),
      hardwareCounter: counter,
      primaryStateHook: null,
    },
    writeBlockBytes: oneOf(flags, "write_size", writeBlocks),
    counter,
  };
}

/** The files of the trusted keys: one or a list, under `public_key` or its plural. */
function keyFiles(flags: JsonObject): string[] {
  const values = flags
    .keys()
    .filter((name) => /keys?$/.test(name))
    .flatMap((name) => flags.raw(name));
  const files = values.filter((value) => typeof value === "string" && value.endsWith(".pem"));
  if (files.length === 0) throw new VectorFormatError("unknown config: it names no public key");
  return files as string[];
}

function oneOf<T extends string | number>(flags: JsonObject, name: string, known: readonly T[]): T {
  const value = flags.raw(name);
  const found = known.find((candidate) => candidate === value);
  if (found === undefined)
    throw new VectorFormatError(
      `unknown config: ${name} is ${JSON.stringify(value)}, known are ${known.join(", ")}`,
    );
  return found;
}
