import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import { type ImageView, isPageOf, isRelease, type Page, type ReleaseView } from "./fleet-views.ts";
import { printAnswer } from "./output.ts";
import { formatTable, formatTime, shortHash } from "./table.ts";

/** `sluice release list` */
export function registerReleaseList(program: Command): void {
  withFleetFlags(
    commandGroup(program, "release", "Build, sign and publish releases")
      .command("list")
      .description("List the releases of a fleet and their images"),
  ).action(list);
}

async function list(flags: FleetFlags, command: Command): Promise<void> {
  const page = await new FleetClient(flags).get<Page<ReleaseView>>(
    "/releases?limit=500",
    isPageOf(isRelease),
  );
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
