import type { Selectable } from "kysely";
import type { Queries } from "./database.ts";
import type { PolicyTable } from "./tables.ts";

export type PolicyRow = Selectable<PolicyTable>;

/** A version of a policy, the newest when none is named. */
export async function findPolicy(
  db: Queries,
  name: string,
  version: number | null = null,
): Promise<PolicyRow | undefined> {
  let query = db.selectFrom("policies").selectAll().where("name", "=", name);
  if (version !== null) query = query.where("version", "=", version);
  return query.orderBy("version", "desc").limit(1).executeTakeFirst();
}

export async function insertPolicy(db: Queries, policy: PolicyRow): Promise<void> {
  await db.insertInto("policies").values(policy).execute();
}

/** Every version of every policy, in the order in which they came. */
export async function listPolicies(db: Queries): Promise<PolicyRow[]> {
  return db
    .selectFrom("policies")
    .selectAll()
    .orderBy("created_at")
    .orderBy("name")
    .orderBy("version")
    .execute();
}

export async function countPolicies(db: Queries): Promise<number> {
  const { count } = await db
    .selectFrom("policies")
    .select((build) => build.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return count;
}
