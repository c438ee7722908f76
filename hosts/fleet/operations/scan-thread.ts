import { answerQuestions } from "../../threads/thread.ts";
import { SnapshotReader } from "../storage/sqlite/reader.ts";
import type { Tables } from "../storage/tables.ts";
import { faultOf } from "../terms/faults.ts";
import { exportScan } from "./export-scan.ts";
import { importScan } from "./import-scan.ts";
import { listDevicesScan } from "./list-devices.ts";
import { previewScan } from "./preview-scan.ts";
import type { Scan, ScanAnswered, ScanAsked } from "./scan-desk.ts";

/** Every scan that the thread can make. */
const scans: readonly Scan<never, unknown>[] = [
  exportScan,
  importScan,
  listDevicesScan,
  previewScan,
];

// Looks at any number of rows beside the thread that serves.
answerQuestions<ScanAsked, ScanAnswered>(async ({ databaseFile, scan: name, question }) => {
  const scan = scans.find((one) => one.name === name);
  if (scan === undefined) throw new Error(`scan-thread.ts lists no scan ${name}`);
  try {
    const reader = new SnapshotReader<Tables>(databaseFile);
    try {
      return { ok: true, answer: await scan.answer(reader, question as never) };
    } finally {
      await reader.close();
    }
  } catch (error) {
    const fault = faultOf(error);
    if (fault === null) throw error;
    return { ok: false, fault };
  }
});
