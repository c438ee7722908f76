import type { Command } from "commander";
import { confirmationAttribute } from "../../../src/protocol/ddi.ts";
import { printAnswer } from "../command/output.ts";
import { formatTable, formatTime } from "../command/table.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type DeviceDetailView, isDeviceDetail } from "../server/fleet-views.ts";
import { contactText } from "./contact.ts";
import { registryFacts } from "./registry-facts.ts";

/** `sluice device show` */
export function registerDeviceShow(group: Command): void {
  withFleetFlags(
    group
      .command("show")
      .description("Show a device and its latest events")
      .argument("<id>", "the device"),
  ).action(show);
}

async function show(id: string, flags: FleetFlags, command: Command): Promise<void> {
  const device = await new FleetClient(flags).get<DeviceDetailView>(
    `/devices/${encodeURIComponent(id)}`,
    isDeviceDetail,
  );
  printAnswer(command, flags, device, textOf);
}

function textOf(device: DeviceDetailView): string {
  const { running } = device;
  const facts = [
    ["device", device.id],
    ["hardware", device.hardware ?? "-"],
    [
      "runs",
      running === null
        ? "unknown"
        : `${running.version}, ${running.confirmed ? "confirmed" : "on trial"}`,
    ],
    ["image", running?.imageHash ?? "-"],
    ...(device.attributes[confirmationAttribute] === "torn" ? [tornConfirmation] : []),
    ["config", String(device.configurationVersion ?? "-")],
    ["state", device.reason === null ? device.state : `${device.state} (${device.reason})`],
    ["seen", formatTime(device.lastSeenAtUnixMs)],
    ...(device.contact === null ? [] : [["contact", contactText(device)]]),
    ...registryFacts(device),
    ...device.refusals.map(({ releaseVersion, reason }) => [
      "refuses",
      `${releaseVersion}, which it rolled back${reason === null ? "" : ` (${reason})`}`,
    ]),
  ];
  const history = formatTable(
    [
      {
        title: "at (UTC)",
        text: ({ atUnixMs }: DeviceDetailView["events"][number]) => formatTime(atUnixMs),
      },
      { title: "event", text: ({ kind }) => kind },
      { title: "details", shrinks: true, text: ({ details }) => JSON.stringify(details) },
    ],
    device.events,
  );
  const lines = facts.map(([name, value]) => `${(name ?? "").padEnd(10)}${value}`);
  return `${lines.join("\n")}\n\n${history}`;
}

/** docs/decisions/torn-confirmation-counts.md */
const tornConfirmation = [
  "confirm",
  "confirm-torn: the power was cut while the image confirmed itself; it stays, and boot_is_img_confirmed() says no",
];
