import type { Queries } from "./database.ts";

/** Counts an approval; false when this person gave one for the stage before. */
export async function addApproval(
  db: Queries,
  of: { readonly rolloutId: number; readonly stage: number; readonly approver: string },
  atUnixMs: number,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("stage_approvals")
    .values({ rollout_id: of.rolloutId, stage: of.stage, approver: of.approver, at: atUnixMs })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) return false;
  await db
    .updateTable("rollout_stages")
    .set((expression) => ({ approvals: expression("approvals", "+", 1) }))
    .where("rollout_id", "=", of.rolloutId)
    .where("stage", "=", of.stage)
    .execute();
  return true;
}
