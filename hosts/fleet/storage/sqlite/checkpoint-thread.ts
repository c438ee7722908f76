import { DatabaseSync } from "node:sqlite";
import { answerQuestions } from "../../../threads/thread.ts";
import { beginGenerationHere } from "./generation.ts";

export interface CheckpointQuestion {
  readonly file: string;
  /** `copy`: what nobody needs any more, beside writers. `reset`: all of it, and begin it anew. */
  readonly step: "copy" | "reset";
}

export interface CheckpointAnswer {
  /** The log is empty but for one change of this thread. */
  readonly isEmpty: boolean;
}

/** Changes wait for the reset; a reader of this process is done within a turn. */
const busyMs = 100;

let database: DatabaseSync | null = null;

// Copies the write-ahead log into the database, and syncs both, beside the thread that serves.
answerQuestions<CheckpointQuestion, CheckpointAnswer>(({ file, step }) => ({
  isEmpty: checkpoint(file, step),
}));

function checkpoint(file: string, step: CheckpointQuestion["step"]): boolean {
  try {
    database ??= open(file);
    if (step === "copy") {
      database.exec("pragma wal_checkpoint(passive)");
      return false;
    }
    const isDone = database.prepare("pragma wal_checkpoint(truncate)").get()?.["busy"] === 0;
    // The first change after a reset syncs the head of the log: it is made here.
    if (isDone) beginGenerationHere(database);
    return isDone;
  } catch {
    return false; // a full or locked disk: whoever writes hears of it, and the next try is soon
  }
}

function open(file: string): DatabaseSync {
  const opened = new DatabaseSync(file);
  opened.exec(`pragma busy_timeout = ${busyMs}`);
  opened.exec("pragma synchronous = full");
  return opened;
}
