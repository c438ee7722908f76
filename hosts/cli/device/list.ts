import type { Command } from "commander";
import { printable } from "../../text/terminal-text.ts";
import { note, printAnswer } from "../command/output.ts";
import { formatTable, shortHash } from "../command/table.ts";
import { pageLimit } from "../options/options.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type DeviceView, isDevice } from "../server/fleet-views.ts";
import { contactText } from "./contact.ts";

interface ListFlags extends FleetFlags {
  readonly hardware?: string;
  readonly release?: string;
  readonly state?: string;
  readonly filter?: string;
  readonly limit: number;
  readonly after?: string;
}

/** `sluice device list` */
export function registerDeviceList(group: Command): void {
  withFleetFlags(
    group
      .command("list")
      .description("List devices in the order of their ids")
      .option("--hardware <id>", "only devices of this hardware")
      .option("--release <version>", "only devices that run this version")
      .option("--state <state>", "only devices in this state")
      .option("--filter <rsql>", 'such as "region==eu;version=lt=1.4.0": docs/filters.md')
      .option("--limit <number>", "at most this many, up to 500", pageLimit, 100)
      .option("--after <id>", "go on after this device"),
  ).action(list);
}

async function list(flags: ListFlags, command: Command): Promise<void> {
  const query = new URLSearchParams({ limit: String(flags.limit) });
  const filters = {
    hardware: flags.hardware,
    version: flags.release,
    state: flags.state,
    filter: flags.filter,
    after: flags.after,
  };
  for (const [name, value] of Object.entries(filters))
    if (value !== undefined) query.set(name, value);
  const page = await new FleetClient(flags).get(`/devices?${query}`, isPageOf(isDevice));
  printAnswer(command, flags, page, ({ items }) => tableOf(items));
  if (page.next !== null && !flags.json)
    note(command, `there may be more: add --after ${printable(page.next)}`);
}

function tableOf(devices: readonly DeviceView[]): string {
  return formatTable(
    [
      { title: "device", shrinks: true, text: ({ id }: DeviceView) => id },
      { title: "hardware", shrinks: true, text: ({ hardware }) => hardware ?? "-" },
      { title: "runs", text: ({ running }) => running?.version ?? "-" },
      { title: "image", text: ({ running }) => shortHash(running?.imageHash ?? "-").slice(0, 8) },
      {
        title: "state",
        shrinks: true,
        text: ({ state, reason }) => (reason === null ? state : `${state} (${reason})`),
      },
      { title: "seen (UTC)", text: (device) => contactText(device) },
    ],
    devices,
  );
}
