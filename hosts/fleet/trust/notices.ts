import type { FastifyBaseLogger } from "fastify";
import type { FleetDatabase } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";

/** A line for the log and the stream of events. */
export interface TrustNotice {
  readonly level: "info" | "warn";
  readonly text: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** Subjects of which something was told, so that it is not told twice. */
const toldMax = 10_000;

/** Keeps what was told last of each subject. */
export class NoticesOnce {
  readonly #told = new Map<string, string>();

  get isFull(): boolean {
    return this.#told.size >= toldMax;
  }

  /** The notice, unless that state was told last of the subject. */
  unlessLast(subject: string, state: string, notice: TrustNotice): TrustNotice[] {
    if (this.#told.get(subject) === state) return [];
    this.#told.set(subject, state);
    return [notice];
  }

  forget(subject: string): void {
    this.#told.delete(subject);
  }
}

/** Notices go into the log, and warnings into the stream of events too. */
export async function tellNotices(
  { database }: { readonly database: FleetDatabase },
  log: FastifyBaseLogger,
  notices: readonly TrustNotice[],
): Promise<void> {
  for (const { level, text, facts } of notices) log[level](facts, text);
  const warnings = notices.filter(({ level }) => level === "warn");
  if (warnings.length === 0) return;
  await database.write(async ({ db, nowUnixMs }) => {
    for (const { text, facts } of warnings)
      await addEvent(db, { kind: "trust-warning", details: { text, ...facts } }, nowUnixMs);
  });
}
