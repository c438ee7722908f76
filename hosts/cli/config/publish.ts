import type { Command } from "commander";
import type { PublishedConfigurationAnswer } from "../../fleet/routes/management/schemas/configurations.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { note, printAnswer } from "../command/output.ts";
import { formatTable, formatTime, shortHash } from "../command/table.ts";
import { isFlag, isNumber, isPageOf, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type ConfigurationView, isConfiguration } from "../server/fleet-views.ts";

const isPublishedConfiguration = partOf<PublishedConfigurationAnswer>()({
  version: isNumber,
  created: isFlag,
});

/** `sluice config publish` and `sluice config list` */
export function registerConfigPublish(group: Command): void {
  withFleetFlags(
    group
      .command("publish")
      .description("Give a signed configuration to a fleet; roll it out with rollout create")
      .argument("<file>", "the signed document"),
  ).action(publish);
  withFleetFlags(
    group.command("list").description("List the configurations of a fleet, the oldest first"),
  ).action(list);
}

async function publish(file: string, flags: FleetFlags, command: Command): Promise<void> {
  const client = new FleetClient(flags);
  const bytes = readInput(file, "the configuration");
  const published = await client
    .postBytes("/configurations", bytes, isPublishedConfiguration)
    .catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(`${file}: ${error.message}`, exitCodes.server);
    });
  const { version, created } = published;
  printAnswer(command, flags, published, ({ version: told }) => String(told));
  note(
    command,
    `${file}: ${created ? "published" : "was there already"}; \`sluice rollout create --configuration ${version}\` rolls it out`,
  );
}

async function list(flags: FleetFlags, command: Command): Promise<void> {
  const { items } = await new FleetClient(flags).get(
    "/configurations?limit=500",
    isPageOf(isConfiguration),
  );
  printAnswer(command, flags, items, tableOf);
}

function tableOf(configurations: readonly ConfigurationView[]): string {
  return formatTable(
    [
      {
        title: "version",
        align: "right",
        text: ({ version }: ConfigurationView) => String(version),
      },
      { title: "bytes", align: "right", text: ({ sizeBytes }) => String(sizeBytes) },
      { title: "file hash", text: ({ fileHash }) => shortHash(fileHash) },
      { title: "published (UTC)", text: ({ createdAtUnixMs }) => formatTime(createdAtUnixMs) },
    ],
    configurations,
  );
}
