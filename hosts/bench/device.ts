import type { HistoryName } from "../power-cuts/history.ts";
import { buildImages, type HistoryKind, historyKinds, Proof } from "../power-cuts/proof.ts";

/**
 * The size of a real image with network and storage for an ESP32-C3, reached with a comment behind
 * the code.
 */
const imageBytesMin = 560_000;
const seed = 1;
let made: Promise<Proof> | null = null;

/** A device of a 4 MiB board with the release bundle, in an image as large as a board's. */
export function benchDevice(): Promise<Proof> {
  made ??= buildImages(seed, { imageBytesMin }).then((images) => new Proof("esp32-4m", images));
  return made;
}

export function benchHistory(name: HistoryName): HistoryKind {
  const found = historyKinds.find((kind) => kind.name === name && kind.counter === "equal");
  if (found === undefined) throw new TypeError(`no history is named ${name}`);
  return found;
}
