import { GroupTally } from "../storage/device-groups.ts";
import { readMemory } from "./fleet.ts";
import { type PreviewQuestion, type PreviewResult, previewRollout, type Tally } from "./preview.ts";
import type { Scan } from "./scan-desk.ts";

/** What a rollout would do, from one look at all devices. */
export const previewScan: Scan<PreviewQuestion, PreviewResult> = {
  name: "preview",
  async answer(reader, question) {
    const memory = await readMemory(reader.db);
    const tally: Tally = async (query) => {
      const found = new GroupTally();
      await reader.each(query.compile(), (key, row) => found.add(key, row));
      return found;
    };
    return previewRollout({ db: reader.db, memory, tally }, question);
  },
};
