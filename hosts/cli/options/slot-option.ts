import type { Command } from "commander";
import { deviceLayout, layoutNames } from "../../flash/board-layout.ts";
import { sectorBytes } from "../../flash/geometry.ts";
import { parseDeviceLayout } from "../../flash/layout.ts";
import { writeBlockBytes } from "../../flash/partitions.ts";
import { checkSlot, type SlotDescription } from "../../release/fit.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readJson } from "../command/files.ts";
import { wholeNumber } from "./options.ts";

/** What `addSlotOptions` reads. */
export interface SlotOptions {
  readonly layout: string;
  readonly slotSize?: number;
}

const slotBytesMax = 16 * 1024 * 1024;

/** The options that name the slot an image is for. */
export function addSlotOptions(command: Command): Command {
  return command
    .option(
      "--layout <name>",
      `flash layout: ${layoutNames.join(", ")}, or a JSON file of one`,
      "esp32-4m",
    )
    .option(
      "--slot-size <bytes>",
      "size of each slot, instead of a layout",
      wholeNumber({ min: 1, max: slotBytesMax }),
    );
}

/** Throws `CommandError` for a layout that is not one, or that swap-using-move cannot work with. */
export function slotOf({ layout, slotSize }: SlotOptions): SlotDescription {
  return slotSize === undefined ? slotOfLayout(layout) : slotOfSize(slotSize);
}

/** The largest image for a layout given by name, by file, or by the size of each of its slots. */
export function imageBytesMaxOf(layout: string): number {
  const isSize = /^(?:[0-9]+|0[xX][0-9a-fA-F]+)$/.test(layout);
  const slot = isSize ? slotOfSize(Number(layout)) : slotOfLayout(layout);
  const checked = checkSlot(slot);
  if (!checked.ok) throw new CommandError(checked.message);
  return checked.imageBytesMax;
}

function slotOfLayout(layout: string): SlotDescription {
  const name = layoutNames.find((known) => known === layout);
  if (name !== undefined) return describe(deviceLayout(name).primary.sizeBytes);
  if (!layout.endsWith(".json"))
    throw new CommandError(
      `the layout is "${layout}", must be one of ${layoutNames.join(", ")} or the path of a JSON file`,
      exitCodes.usage,
    );
  const parsed = parseDeviceLayout(readJson(layout, "the layout"));
  if (!parsed.ok) throw new CommandError(`${layout} cannot be updated: ${parsed.message}`);
  return describe(parsed.layout.primary.sizeBytes);
}

function slotOfSize(slotBytes: number): SlotDescription {
  const slot = describe(slotBytes);
  const checked = checkSlot(slot);
  if (!checked.ok)
    throw new CommandError(`such slots cannot be updated: ${checked.message}`, exitCodes.usage);
  return slot;
}

function describe(slotBytes: number): SlotDescription {
  return { slotBytes, sectorBytes, writeBlockBytes, maxAlignBytes: 8 };
}
