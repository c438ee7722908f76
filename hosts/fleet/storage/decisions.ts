import { type Selectable, sql } from "kysely";
import { limits } from "../terms/limits.ts";
import type { Queries } from "./database.ts";
import type { DecisionKind, RolloutDecisionTable } from "./tables.ts";

export type DecisionRow = Selectable<RolloutDecisionTable>;

export interface NewDecision {
  readonly rolloutId: number;
  readonly stage: number;
  readonly kind: DecisionKind;
  readonly sentence: string;
  readonly inputs: object;
}

/** Decisions over the bound that one more removes: those of a bound that was higher, too. */
const overMax = 100;

/** Keeps a decision; of those that only held the rollout the oldest make room. */
export async function addDecision(
  db: Queries,
  { rolloutId, stage, kind, sentence, inputs }: NewDecision,
  atUnixMs: number,
): Promise<void> {
  await db
    .insertInto("rollout_decisions")
    .values({
      rollout_id: rolloutId,
      stage,
      kind,
      sentence,
      inputs: JSON.stringify(inputs),
      at: atUnixMs,
    })
    .execute();
  await sql`
    delete from rollout_decisions where id in (
      select id from rollout_decisions
      where rollout_id = ${rolloutId}
      order by kind = 'held', id desc limit ${overMax} offset ${limits.decisionsPerRolloutMax})`.execute(
    db,
  );
}

/** In the order in which they were taken, from the one after `after`. */
export async function listDecisions(
  db: Queries,
  rolloutId: number,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<DecisionRow[]> {
  return db
    .selectFrom("rollout_decisions")
    .selectAll()
    .where("rollout_id", "=", rolloutId)
    .where("id", ">", after)
    .orderBy("id")
    .limit(limit)
    .execute();
}

export async function findLastDecision(
  db: Queries,
  rolloutId: number,
): Promise<DecisionRow | undefined> {
  return db
    .selectFrom("rollout_decisions")
    .selectAll()
    .where("rollout_id", "=", rolloutId)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
}
