import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { formatTable, formatTime, shortHash } from "../command/table.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type ImageView, isRelease, type ReleaseView } from "../server/fleet-views.ts";

/** `sluice release list` */
export function registerReleaseList(group: Command): void {
  withFleetFlags(
    group.command("list").description("List the releases of a fleet and their images"),
  ).action(list);
}

async function list(flags: FleetFlags, command: Command): Promise<void> {
  const page = await new FleetClient(flags).get("/releases?limit=500", isPageOf(isRelease));
  printAnswer(command, flags, page.items, (releases) =>
    tableOf(releases.flatMap((release) => release.images.map((image) => ({ release, image })))),
  );
}

function tableOf(rows: ReadonlyArray<{ release: ReleaseView; image: ImageView }>): string {
  return formatTable(
    [
      { title: "release", text: ({ release }: (typeof rows)[number]) => release.version },
      { title: "hardware", text: ({ image }) => image.hardware },
      { title: "bytes", align: "right", text: ({ image }) => String(image.sizeBytes) },
      {
        title: "counter",
        align: "right",
        text: ({ image }) => String(image.securityCounter ?? "-"),
      },
      { title: "image hash", text: ({ image }) => shortHash(image.imageHash) },
      { title: "since (UTC)", text: ({ release }) => formatTime(release.createdAtUnixMs) },
    ],
    rows,
  );
}
