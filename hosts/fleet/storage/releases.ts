import type { Insertable, Selectable } from "kysely";
import type { Queries } from "./database.ts";
import type { ImageTable, ReleaseTable } from "./tables.ts";

export type ReleaseRow = Selectable<ReleaseTable>;
export type ImageRow = Selectable<ImageTable>;

export async function listReleases(db: Queries): Promise<ReleaseRow[]> {
  return db.selectFrom("releases").selectAll().orderBy("id").execute();
}

export async function listImages(db: Queries): Promise<ImageRow[]> {
  return db.selectFrom("images").selectAll().orderBy("id").execute();
}

export async function insertRelease(
  db: Queries,
  release: Insertable<ReleaseTable>,
): Promise<ReleaseRow> {
  return db.insertInto("releases").values(release).returningAll().executeTakeFirstOrThrow();
}

export async function insertImage(db: Queries, image: Insertable<ImageTable>): Promise<ImageRow> {
  return db.insertInto("images").values(image).returningAll().executeTakeFirstOrThrow();
}
