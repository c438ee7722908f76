// Writes every file that repeats the partition table. Run by `npm run generate`; a test compares
// without writing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type FlashMiB, flashMiBs, partitionTable, type Soc, socs } from "../flash/partitions.ts";
import { buildBlock, kitBuildBlock, renderSectors, sectorsPath } from "./bootloader-build.ts";
import { tableDefect } from "./check-table.ts";
import { hasBlock, withBlock } from "./markdown-block.ts";
import { overlayPath, renderOverlay } from "./overlay.ts";
import { slotMapBlock } from "./slot-map.ts";

const root = resolve(import.meta.dirname, "../..");

export interface GeneratedFile {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

/**
 * Every generated file as it should be now. Throws for a table that no board could be updated with.
 */
export function generatedFiles(): GeneratedFile[] {
  for (const soc of socs) for (const flashMiB of flashMiBs) refuseDefect({ soc, flashMiB });
  const overlays = socs.flatMap((soc) =>
    flashMiBs.map((flashMiB) => ({
      path: overlayPath({ soc, flashMiB }),
      text: renderOverlay({ soc, flashMiB }),
    })),
  );
  const sectors = flashMiBs.map((flashMiB) => ({
    path: sectorsPath(flashMiB),
    text: renderSectors(flashMiB),
  }));
  return [...overlays, ...sectors, ...pages()];
}

function refuseDefect(choice: { soc: Soc; flashMiB: FlashMiB }): void {
  const defect = tableDefect(partitionTable(choice), choice.flashMiB * 1024 * 1024);
  if (defect !== null)
    throw new Error(`partition table of ${choice.soc}, ${choice.flashMiB} MiB: ${defect}`);
}

/**
 * bootloader/README.md must show both blocks; README.md shows the slot map once it holds the
 * markers.
 */
function pages(): GeneratedFile[] {
  const bootloader = "bootloader/README.md";
  const walk = "docs/flashing.md";
  const text = withBlock(withBlock(readText(bootloader), slotMapBlock), buildBlock);
  const front = readText("README.md");
  return [
    { path: bootloader, text },
    { path: walk, text: withBlock(readText(walk), kitBuildBlock) },
    ...(hasBlock(front, slotMapBlock)
      ? [{ path: "README.md", text: withBlock(front, slotMapBlock) }]
      : []),
  ];
}

/** The committed text of a file, empty where there is none. */
export function readText(path: string): string {
  const absolute = join(root, path);
  return existsSync(absolute) ? readFileSync(absolute, "utf8") : "";
}

if (import.meta.main)
  for (const { path, text } of generatedFiles()) {
    if (readText(path) === text) continue;
    writeFileSync(join(root, path), text);
    console.log(`wrote ${path}`);
  }
