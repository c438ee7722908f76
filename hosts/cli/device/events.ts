import type { Command } from "commander";
import { printable } from "../../text/terminal-text.ts";
import { note, printAnswer } from "../command/output.ts";
import { formatTable, isDate } from "../command/table.ts";
import { pageLimit, wholeNumber } from "../options/options.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type EventView, isEvent } from "../server/fleet-views.ts";

interface EventsFlags extends FleetFlags {
  readonly limit: number;
  readonly after?: number;
  readonly all?: true;
}

const eventNumber = wholeNumber({ min: 1, max: 999_999_999_999 });

/** `sluice device events` */
export function registerDeviceEvents(group: Command): void {
  withFleetFlags(
    group
      .command("events")
      .description("Show what a device told of its updates, the newest last")
      .argument("<id>", "the device")
      .option("--limit <number>", "at most this many, up to 500", pageLimit, 50)
      .option("--after <number>", "only those before this one: the page after", eventNumber)
      .option("--all", "also what the server saw of it"),
  ).action(show);
}

async function show(id: string, flags: EventsFlags, command: Command): Promise<void> {
  const query = new URLSearchParams({
    limit: String(flags.limit),
    source: flags.all ? "all" : "device",
  });
  if (flags.after !== undefined) query.set("after", String(flags.after));
  const path = `/devices/${encodeURIComponent(id)}/events?${query}`;
  const page = await new FleetClient(flags).get(path, isPageOf(isEvent));
  const isEmpty = page.items.length === 0;
  if (flags.json === true || !isEmpty)
    printAnswer(command, flags, page, ({ items }) => tableOf([...items].reverse()));
  if (flags.json === true) return;
  if (isEmpty) note(command, `${id} told of nothing yet`);
  if (page.next !== null)
    note(command, `there may be older ones: add --after ${printable(page.next)}`);
}

function tableOf(events: readonly EventView[]): string {
  return formatTable(
    [
      { title: "at (UTC)", text: (event: EventView) => timeOf(event) },
      { title: "event", text: ({ kind }) => kind.replace(/^device\./, "") },
      { title: "details", shrinks: true, text: ({ details }) => detailsOf(details) },
    ],
    events,
  );
}

/** The device's own time where it had one; else when the server got it. */
function timeOf({ atUnixMs, details }: EventView): string {
  const own = details["unixMs"];
  const unixMs = typeof own === "number" && isDate(own) ? own : atUnixMs;
  const text = new Date(unixMs).toISOString().slice(0, 19).replace("T", " ");
  return own === unixMs ? text : `${text}?`;
}

const shownElsewhere: readonly string[] = ["unixMs", "atUptimeMs"];

function detailsOf(details: EventView["details"]): string {
  return Object.entries(details)
    .filter(([name, value]) => value !== null && !shownElsewhere.includes(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
