import type { FastifyBaseLogger } from "fastify";
import type { Fleet } from "../control/fleet.ts";
import { addEvent } from "../storage/events.ts";
import type { TrustNotice } from "./fleet-trust.ts";

/** Notices go into the log, and warnings into the stream of events too. */
export async function tellNotices(
  fleet: Fleet,
  log: FastifyBaseLogger,
  notices: readonly TrustNotice[],
): Promise<void> {
  for (const { level, text, facts } of notices) log[level](facts, text);
  const warnings = notices.filter(({ level }) => level === "warn");
  if (warnings.length === 0) return;
  await fleet.database.write(async ({ db, nowUnixMs }) => {
    for (const { text, facts } of warnings)
      await addEvent(db, { kind: "trust-warning", details: { text, ...facts } }, nowUnixMs);
  });
}
