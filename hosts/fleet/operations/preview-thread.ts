import { answerQuestions } from "../../threads/thread.ts";
import { GroupTally } from "../storage/device-groups.ts";
import { SnapshotReader } from "../storage/sqlite/reader.ts";
import type { Tables } from "../storage/tables.ts";
import { readMemory } from "./fleet.ts";
import { type PreviewResult, previewRollout, type Tally } from "./preview.ts";
import type { ThreadQuestion } from "./preview-desk.ts";

// Looks at all devices beside the thread that serves.
answerQuestions<ThreadQuestion, PreviewResult>(async ({ databaseFile, ...question }) => {
  const reader = new SnapshotReader<Tables>(databaseFile);
  try {
    const memory = await readMemory(reader.db);
    const tally: Tally = async (query) => {
      const found = new GroupTally();
      reader.each(query.compile(), (key, row) => found.add(key, row));
      return found;
    };
    return await previewRollout({ db: reader.db, memory, tally }, question);
  } finally {
    await reader.close();
  }
});
