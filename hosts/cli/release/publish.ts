import { readFileSync, statSync } from "node:fs";
import type { Command } from "commander";
import { printable } from "../../text/terminal-text.ts";
import { environmentError } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note, printAnswer } from "../command/output.ts";
import { formatTable, shortHash } from "../command/table.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isPublished, type PublishedView } from "../server/fleet-views.ts";

const fileBytesMax = 16 * 1024 * 1024;

/** `sluice release publish` */
export function registerReleasePublish(group: Command): void {
  withFleetFlags(
    group
      .command("publish")
      .description("Publish signed images; each joins the release of its version")
      .argument("<files...>", "signed images, one per hardware"),
  ).action(publish);
}

async function publish(
  files: readonly string[],
  flags: FleetFlags,
  command: Command,
): Promise<void> {
  const client = new FleetClient(flags);
  const images = files.map((file) => ({ file, bytes: readImage(file) }));
  const published: PublishedView[] = [];
  for (const { file, bytes } of images) {
    try {
      published.push(await client.postBytes<PublishedView>("/releases/images", bytes, isPublished));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const before = published.length === 0 ? "" : ` (${published.length} published before it)`;
      throw new CommandError(`${file}: ${error.message}${before}`, exitCodes.server);
    }
    const last = published.at(-1);
    note(command, `${file}: ${last?.created ? "published" : "was there already"}`);
    for (const { message } of last?.warnings ?? [])
      note(command, `warning: ${file}: ${printable(message)}`);
  }
  printAnswer(command, flags, published, tableOf);
}

function readImage(file: string): Uint8Array {
  try {
    const found = statSync(file);
    if (found.isDirectory())
      throw new CommandError(
        `${file} is a folder, an image is a file: sign what was built in it with "sluice release sign ${file} --key PEM --security-counter N --out IMAGE", and publish IMAGE`,
      );
    const { size } = found;
    if (size > fileBytesMax)
      throw new CommandError(
        `${file} has ${size} bytes, an image at most ${fileBytesMax}; is this the right file?`,
      );
    return readFileSync(file);
  } catch (error) {
    throw environmentError(error, `cannot read the image ${file}`);
  }
}

function tableOf(published: readonly PublishedView[]): string {
  return formatTable(
    [
      { title: "release", text: ({ version }: PublishedView) => version },
      { title: "hardware", text: ({ image }) => image.hardware },
      { title: "bytes", align: "right", text: ({ image }) => String(image.sizeBytes) },
      { title: "image hash", text: ({ image }) => shortHash(image.imageHash) },
    ],
    published,
  );
}
