import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import { wholeNumber } from "./fleet-serve.ts";
import type { EventView, Page } from "./fleet-views.ts";
import { formatTable } from "./table.ts";

interface EventsFlags extends FleetFlags {
  readonly limit: string;
  readonly after?: string;
  readonly all?: true;
}

/** `sluice device events` */
export function registerDeviceEvents(program: Command): void {
  withFleetFlags(
    commandGroup(program, "device", "The devices of a fleet")
      .command("events")
      .description("Show what a device told of its updates, the newest last")
      .argument("<id>", "the device")
      .option("--limit <number>", "at most this many, up to 500", "50")
      .option("--after <number>", "only those before this one: the page after")
      .option("--all", "also what the server saw of it"),
  ).action(show);
}

async function show(id: string, flags: EventsFlags): Promise<void> {
  const query = new URLSearchParams({
    limit: String(wholeNumber("--limit", flags.limit, 1, 500)),
    source: flags.all ? "all" : "device",
  });
  if (flags.after !== undefined)
    query.set("after", String(wholeNumber("--after", flags.after, 1, 999_999_999_999)));
  const path = `/devices/${encodeURIComponent(id)}/events?${query}`;
  const page = await new FleetClient(flags).get<Page<EventView>>(path);
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(page)}\n`);
    return;
  }
  const rows = [...page.items].reverse();
  if (rows.length === 0) process.stderr.write(`${id} told of nothing yet\n`);
  else process.stdout.write(`${tableOf(rows)}\n`);
  if (page.next !== null)
    process.stderr.write(`there may be older ones: add --after ${page.next}\n`);
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
  const unixMs = typeof own === "number" && own <= 8.64e15 ? own : atUnixMs;
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
