import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { BoardTools } from "./board-tools.ts";
import { bootloaderVersion, moddableVersion } from "./versions.ts";

/**
 * What the files of a board's build consist of, CycloneDX 1.6 in JSON; without a time, so that it
 * is the same again.
 */
export function writeBoardSbom(
  tools: BoardTools,
  firmware: { readonly board: string; readonly version: string; readonly image: Uint8Array },
  bootloader: Uint8Array | null,
): string {
  const bom = new Models.Bom();
  const main = new Models.Component(Enums.ComponentType.Firmware, firmware.board, {
    version: firmware.version,
    bomRef: "firmware",
    hashes: sha256Of(firmware.image),
  });
  bom.metadata.component = main;
  const library = (name: string, version: string): void => {
    const component = new Models.Component(Enums.ComponentType.Library, name, {
      version,
      bomRef: `part/${name}`,
    });
    bom.components.add(component);
    main.dependencies.add(component.bomRef);
  };
  library("zephyr", zephyrVersion(tools.zephyrBase));
  library("moddable-sdk", moddableVersion);
  if (bootloader !== null)
    bom.components.add(
      new Models.Component(Enums.ComponentType.Firmware, "mcuboot", {
        version: bootloaderVersion,
        bomRef: "bootloader",
        hashes: sha256Of(bootloader),
      }),
    );
  const normalize = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  const serializer = new Serialize.JsonSerializer(normalize);
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** From the file VERSION of a Zephyr tree. */
function zephyrVersion(folder: string): string {
  const text = readFileSync(join(folder, "VERSION"), "utf8");
  const value = (name: string): string =>
    new RegExp(`^${name} = (\\S+)$`, "m").exec(text)?.[1] ?? "0";
  return [value("VERSION_MAJOR"), value("VERSION_MINOR"), value("PATCHLEVEL")].join(".");
}

function sha256Of(bytes: Uint8Array): Models.HashDictionary {
  const hash = createHash("sha256").update(bytes).digest("hex");
  return new Models.HashDictionary([[Enums.HashAlgorithm["SHA-256"], hash]]);
}
