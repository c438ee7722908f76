import type { CompiledQuery } from "kysely";
import { Thread, ThreadEndedError } from "../../threads/thread.ts";
import type { FleetDatabase, Queries } from "../storage/database.ts";
import { type Fault, FaultError } from "../terms/faults.ts";
import { Turns } from "../time/turns.ts";

/** What a scan reads by: all of one moment, and nothing can be written. */
export interface ScanReader {
  readonly db: Queries;
  /** Takes the `key` and the `row` of a query's rows as they are found. */
  each(query: CompiledQuery, take: (key: string, row: number) => void): void | Promise<void>;
}

/**
 * A question whose answer takes a look at any number of rows. Question and answer are plain data,
 * which threads can hand to each other.
 */
export interface Scan<Question, Answer> {
  readonly name: string;
  answer(reader: ScanReader, question: Question): Promise<Answer>;
}

export interface ScanAsked {
  readonly databaseFile: string;
  readonly scan: string;
  readonly question: unknown;
}

export type ScanAnswered =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly fault: Fault };

/** No scan is worth more; whoever asked has given up by then. */
const scanMsMax = 60_000;

/**
 * Answers what has to look at many rows, from one thread with a read-only connection of its own,
 * which reads what is committed: on the thread that serves, it would hold up every poll. One at a
 * time, and a few that wait; beyond them `TooBusyError`. Where the thread dies, or the scan takes
 * longer than a minute, whoever waits gets a `FaultError`, and the next question starts another.
 *
 * Another kind of scan: write a `Scan`, and list it in scan-thread.ts. Then
 * `fleet.scans.ask(fleet.database, scan, question)` answers.
 */
export class ScanDesk {
  readonly #turns = new Turns("scans", { atOnceMax: 1, waitingMax: 16 });
  readonly #thread: Thread<ScanAsked, ScanAnswered>;
  readonly #scanMsMax: number;
  #isClosed = false;

  constructor(script = new URL("./scan-thread.ts", import.meta.url), msMax: number = scanMsMax) {
    this.#thread = new Thread(script, "scans");
    this.#scanMsMax = msMax;
  }

  ask<Question, Answer>(
    { file, queries }: Pick<FleetDatabase, "file" | "queries">,
    scan: Scan<Question, Answer>,
    question: Question,
  ): Promise<Answer> {
    return this.#turns.run(() =>
      file === null
        ? scan.answer(readerHere(queries), question)
        : (this.#askThread({ databaseFile: file, scan: scan.name, question }) as Promise<Answer>),
    );
  }

  /** Ends what is under way; nothing is answered from now on. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#thread.close();
  }

  async #askThread(asked: ScanAsked): Promise<unknown> {
    if (this.#isClosed) throw ended("the server stops; ask again when it is back");
    const late = setTimeout(() => void this.#thread.close(), this.#scanMsMax);
    try {
      const answered = await this.#thread.ask(asked);
      if (answered.ok) return answered.answer;
      throw new FaultError(answered.fault);
    } catch (error) {
      if (!(error instanceof ThreadEndedError)) throw error;
      const seconds = this.#scanMsMax / 1000;
      throw ended(
        `it ended after ${seconds} s, for want of memory, or with the server; ask for less`,
      );
    } finally {
      clearTimeout(late);
    }
  }
}

function ended(why: string): FaultError {
  const message = `no look through the fleet: ${why}`;
  return new FaultError({ status: 503, reason: "scan-ended", message, retryAfterSeconds: 5 });
}

/** For a database in memory, which has few devices and nobody who waits for the thread. */
function readerHere(db: Queries): ScanReader {
  return {
    db,
    async each(query, take) {
      const { rows } = await db.executeQuery<{ key: string; row: number }>(query);
      for (const { key, row } of rows) take(key, row);
    },
  };
}
