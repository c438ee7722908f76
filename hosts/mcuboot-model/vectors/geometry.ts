import { sectorBytes } from "../../flash/geometry.ts";
import { NorFlash } from "../../flash/nor-flash.ts";
import { loaderState } from "../boot.ts";
import type { Trailer } from "../trailer.ts";
import { compareValue, type Differences } from "./compare.ts";
import type { VectorSetup } from "./vector-config.ts";
import type { JsonObject } from "./vector-json.ts";

/**
 * Compares the sizes and offsets that a configuration names with those that the model works with.
 */
export function compareGeometry(config: JsonObject, setup: VectorSetup): Differences {
  const { boot: bootConfig, writeBlockBytes } = setup;
  const blank = new NorFlash({ sizeBytes: bootConfig.layout.flashBytes, writeBlockBytes });
  const state = loaderState(blank, bootConfig);
  const seen: Record<string, unknown> = {
    trailer_size: state.primary.sizeBytes,
    max_image_size: state.algorithm.imageBytesMax(state),
    secondary_image_offset: bootConfig.mode === "swap-using-offset" ? sectorBytes : 0,
  };
  const differences = Object.entries(seen)
    .filter(([name]) => config.has(name))
    .flatMap(([name, value]) => compareValue(name, config.raw(name), value));
  if (!config.has("trailer_field_offsets")) return differences;
  const recorded = config.object("trailer_field_offsets");
  for (const area of recorded.keys()) {
    const trailer =
      area === "primary" || area === "secondary" || area === "scratch" ? state[area] : null;
    differences.push(
      ...(trailer === null
        ? [`trailer_field_offsets: the model has no ${area} trailer`]
        : compareOffsets(area, recorded.object(area), trailer)),
    );
  }
  return differences;
}

function compareOffsets(area: string, recorded: JsonObject, trailer: Trailer): Differences {
  const { magic, imageOk, copyDone, swapInfo, tlvSizes, swapSize, status } = trailer.offsets;
  const seen: Record<string, unknown> = {
    offset: trailer.area.offsetBytes,
    size: trailer.area.sizeBytes,
    magic,
    image_ok: imageOk,
    copy_done: copyDone,
    swap_info: swapInfo,
    tlv_sizes: tlvSizes,
    swap_size: swapSize,
    status,
    status_entries: trailer.statusEntries,
  };
  return recorded
    .keys()
    .flatMap((key) => compareValue(`${area} ${key}`, recorded.raw(key), seen[key]));
}
