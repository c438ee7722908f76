import { sectorBytes } from "../flash/geometry.ts";
import type { CleanOperation, CleanRun } from "../power-cuts/history.ts";
import { trailerSectors } from "../power-cuts/layout.ts";
import { atMost, type Benchmark, type Measurement } from "./benchmark.ts";
import { benchDevice, benchHistory } from "./device.ts";

/**
 * What one update and one rollback do to the flash of a 4 MiB board, compared with the least that
 * swap using move needs for images of N sectors and a trailer of T: 3N + 2T erases and 15N + 4
 * writes for a swap; a revert writes the secondary's trailer first, which takes T erases and 3
 * writes more, and one write confirms the image.
 */
export const flashWear: Benchmark = {
  name: "flash-wear",
  about:
    "erases and bytes programmed by one update and one rollback of a device that had one before",

  async run() {
    const device = await benchDevice();
    const update = await device.cleanRun(benchHistory("update"));
    const rollback = await device.cleanRun(benchHistory("rollback-silent"));
    const imageBytes = device.images.new.equal.file.length;
    const imageSectors = Math.ceil(imageBytes / sectorBytes);
    const trailer = trailerSectors(device.layout.primary.sectors);
    return [
      { what: "image, bytes", value: imageBytes },
      ...staging(update, imageBytes),
      ...swap("swap", update, "swap", {
        erases: 3 * imageSectors + 2 * trailer,
        writes: 15 * imageSectors + 4,
      }),
      ...swap("revert", rollback, "revert", {
        erases: 3 * imageSectors + 3 * trailer,
        writes: 15 * imageSectors + 8,
      }),
      { what: "journal writes in the update", value: update.stored, target: atMost(64) },
      { what: "journal writes in the rollback", value: rollback.stored, target: atMost(64) },
      { what: "erases of storage in the update", value: erases(inArea(update, "storage")).total },
      { what: "erases of bootctl in the update", value: erases(inArea(update, "bootctl")).total },
      {
        what: "erases of one sector in the whole update, most",
        value: erases(update.operations).most,
      },
    ];
  },
};

function staging(run: CleanRun, imageBytes: number): Measurement[] {
  const operations = inArea(run, "secondary").filter(({ phase }) => phase === "staging");
  const { total, most } = erases(operations);
  return [
    {
      what: "bytes programmed into the secondary slot in staging / image bytes",
      value: bytesProgrammed(operations) / imageBytes,
      target: atMost(1.01),
    },
    { what: "erases in staging", value: total },
    { what: "erases of one sector in staging, most", value: most, target: atMost(1) },
  ];
}

function swap(
  name: string,
  run: CleanRun,
  phase: CleanOperation["phase"],
  least: { readonly erases: number; readonly writes: number },
): Measurement[] {
  const inSlots = run.operations.filter(
    (operation) =>
      operation.phase === phase && (operation.area === "primary" || operation.area === "secondary"),
  );
  const counted = erases(inSlots).total;
  const writes = inSlots.length - counted;
  return [
    { what: `erases in the ${name}`, value: counted, target: atMost(least.erases) },
    { what: `writes in the ${name}`, value: writes, target: atMost(least.writes) },
    { what: `bytes programmed in the ${name}`, value: bytesProgrammed(inSlots) },
    { what: `erases of one sector in the ${name}, most`, value: erases(inSlots).most },
  ];
}

function inArea(run: CleanRun, area: CleanOperation["area"]): CleanOperation[] {
  return run.operations.filter((operation) => operation.area === area);
}

function bytesProgrammed(operations: readonly CleanOperation[]): number {
  const written = operations.filter(({ kind }) => kind === "write");
  return written.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

function erases(operations: readonly CleanOperation[]): { total: number; most: number } {
  const bySector = new Map<number, number>();
  for (const { kind, address } of operations)
    if (kind === "erase") bySector.set(address, (bySector.get(address) ?? 0) + 1);
  const counts = [...bySector.values()];
  return { total: counts.reduce((sum, count) => sum + count, 0), most: Math.max(0, ...counts) };
}
