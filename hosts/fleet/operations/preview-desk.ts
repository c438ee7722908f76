import { Thread } from "../../threads/thread.ts";
import type { FleetDatabase } from "../storage/database.ts";
import { GroupTally } from "../storage/device-groups.ts";
import { Turns } from "../time/turns.ts";
import type { FleetMemory } from "./memory.ts";
import { type PreviewQuestion, type PreviewResult, previewRollout, type Tally } from "./preview.ts";

export interface ThreadQuestion extends PreviewQuestion {
  readonly databaseFile: string;
}

/**
 * Answers previews from a thread with a connection of its own, which reads what is committed: a
 * look at all devices would hold up every poll. One at a time, and a few that wait.
 */
export class PreviewDesk {
  readonly #turns = new Turns("previews", { atOnceMax: 1, waitingMax: 8 });
  readonly #thread = new Thread<ThreadQuestion, PreviewResult>(
    new URL("./preview-thread.ts", import.meta.url),
    "previews rollouts",
  );

  preview(
    { database, memory }: { readonly database: FleetDatabase; readonly memory: FleetMemory },
    question: PreviewQuestion,
  ): Promise<PreviewResult> {
    const { file, queries: db } = database;
    return this.#turns.run(() =>
      file === null
        ? previewRollout({ db, memory, tally: tallyHere }, question)
        : this.#thread.ask({ ...question, databaseFile: file }),
    );
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}

/** For a database in memory, which has few devices and nobody who waits for the thread. */
const tallyHere: Tally = async (query) => {
  const tally = new GroupTally();
  for (const { key, row } of await query.execute()) tally.add(key, row);
  return tally;
};
