import type { Queries } from "./database.ts";
import { moveSequenceOn } from "./sqlite/statements.ts";

/** More than a fleet is offered in the mean over the age of a backup. */
const actionsPerSecond = 64;
const actionsPerStartMax = 16_000_000;
/** Ids of actions fit SWUpdate's `int`; what is left above this is for actions alone. */
const actionIdMax = 2_000_000_000;
const eventsPerSecond = 1000;

/**
 * Moves ids past those that may have been given out in a time of which this database knows nothing:
 * a backup does not know what came after it, and a device that meets the id of an action again
 * takes the new one for the old. Nothing happens where nothing was given out yet.
 */
export async function moveIdsOn(db: Queries, unknownMs: number): Promise<void> {
  const seconds = Math.floor(Math.max(0, unknownMs) / 1000);
  const actions = Math.min(seconds * actionsPerSecond, actionsPerStartMax);
  await moveSequenceOn(db, "actions", actions, actionIdMax);
  await moveSequenceOn(db, "events", seconds * eventsPerSecond);
}
