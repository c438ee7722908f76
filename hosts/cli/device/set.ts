import type { Command } from "commander";
import type { DeviceRegistryBody } from "../../fleet/routes/management/schemas/devices.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { printAnswer } from "../command/output.ts";
import { collect } from "../options/options.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type DeviceDetailView, isDeviceDetail } from "../server/fleet-views.ts";
import { registryFacts } from "./registry-facts.ts";

const fields = ["region", "timezone", "connectivity", "criticality", "bootloader"] as const;
type Field = (typeof fields)[number];
const none: string[] = [];

interface SetFlags extends FleetFlags, Partial<Record<Field, string>> {
  readonly unset: readonly string[];
  readonly tag: readonly string[];
  readonly untag: readonly string[];
  readonly group: readonly string[];
  readonly ungroup: readonly string[];
}

/** `sluice device set`: what an operator knows of a device, which goes before what it tells. */
export function registerDeviceSet(group: Command): void {
  withFleetFlags(
    group
      .command("set")
      .description("Set what you know of a device; it goes before what the device tells")
      .argument("<id>", "the device")
      .option("--region <name>", "where it is, such as eu or eu/north")
      .option("--timezone <name>", "an IANA name, such as Europe/Berlin")
      .option("--connectivity <kind>", "wifi, ethernet, cellular, metered or satellite")
      .option("--criticality <level>", "low, normal, high or critical")
      .option("--bootloader <record>", "the bootloader that it was made with")
      .option(
        "--unset <field>",
        "what the device tells counts again; may be repeated",
        collect(String),
        none,
      )
      .option("--tag <name>", "give it a tag; may be repeated", collect(String), none)
      .option("--untag <name>", "take a tag off; may be repeated", collect(String), none)
      .option("--group <name>", "put it into a group; may be repeated", collect(String), none)
      .option("--ungroup <name>", "take it out of a group; may be repeated", collect(String), none),
  ).action(set);
}

async function set(id: string, flags: SetFlags, command: Command): Promise<void> {
  const body = bodyOf(flags);
  const device = await new FleetClient(flags).patch<DeviceDetailView>(
    `/devices/${encodeURIComponent(id)}`,
    body,
    isDeviceDetail,
  );
  printAnswer(command, flags, device, (shown) =>
    [["device", shown.id] as const, ...registryFacts(shown)]
      .map(([name, value]) => `${name.padEnd(10)}${value}`)
      .join("\n"),
  );
}

function bodyOf(flags: SetFlags): DeviceRegistryBody {
  const values: Partial<Record<Field, string | null>> = {};
  for (const name of flags.unset) {
    const field = fields.find((one) => one === name);
    if (field === undefined)
      throw new CommandError(
        `--unset takes one of ${fields.join(", ")}, not "${name}"`,
        exitCodes.usage,
      );
    values[field] = null;
  }
  for (const field of fields) {
    const value = flags[field];
    if (value === undefined) continue;
    if (values[field] === null)
      throw new CommandError(`--${field} and --unset ${field} exclude each other`, exitCodes.usage);
    values[field] = value;
  }
  const body = {
    ...values,
    ...labelsOf("tags", flags.tag, flags.untag),
    ...labelsOf("groups", flags.group, flags.ungroup),
  };
  if (Object.keys(body).length === 0)
    throw new CommandError("nothing to set; --help lists what can be", exitCodes.usage);
  return body;
}

function labelsOf(kind: "tags" | "groups", add: readonly string[], remove: readonly string[]) {
  const isBoth = add.find((label) => remove.includes(label));
  if (isBoth !== undefined)
    throw new CommandError(
      `"${isBoth}" is both given and taken away: name it once`,
      exitCodes.usage,
    );
  return add.length + remove.length === 0 ? {} : { [kind]: { add: [...add], remove: [...remove] } };
}
