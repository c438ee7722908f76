// Writes every file that repeats the partition table. Run by `npm run generate`; a test compares without writing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { overlayPath, renderOverlay } from "./overlay.ts";
import { flashMiBs, socs } from "./partitions.ts";
import { simulatorLayouts } from "./simulator-layout.ts";
import { slotMapStart, withSlotMap } from "./slot-map.ts";

const root = resolve(import.meta.dirname, "../..");

export interface GeneratedFile {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

/** Every generated file as it should be now. README.md takes part once it holds the slot map's markers. */
export function generatedFiles(): GeneratedFile[] {
  const overlays = socs.flatMap((soc) =>
    flashMiBs.map((flashMiB) => ({
      path: overlayPath({ soc, flashMiB }),
      text: renderOverlay({ soc, flashMiB }),
    })),
  );
  const layouts = {
    path: "hosts/simulator/layouts.json",
    text: `${JSON.stringify(simulatorLayouts(), null, 2)}\n`,
  };
  const pages = ["bootloader/README.md", "README.md"]
    .map((path) => ({ path, text: readText(path) }))
    .filter(({ path, text }) => path === "bootloader/README.md" || text.includes(slotMapStart))
    .map(({ path, text }) => ({ path, text: withSlotMap(text) }));
  return [...overlays, layouts, ...pages];
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
