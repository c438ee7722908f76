import { type Kysely, sql } from "kysely";

const stageCounters = [
  "waiting",
  "offered",
  "working",
  "deferred",
  "activating",
  "trial",
  "reported",
  "updated",
  "rolled_back",
  "failed",
  "unproven",
  "withdrawn",
  "excluded",
] as const;

export async function up(db: Kysely<unknown>): Promise<void> {
  await createDevices(db);
  await createReleases(db);
  await createRollouts(db);
  await createActions(db);
  await createEvents(db);
}

async function createDevices(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("devices")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("token_sha256", "text")
    .addColumn("hardware", "text")
    .addColumn("hardware_by_operator", "integer", (column) => column.notNull())
    .addColumn("created_at", "integer", (column) => column.notNull())
    .addColumn("last_seen_at", "integer")
    .addColumn("running_version", "text")
    .addColumn("running_hash", "text")
    .addColumn("running_confirmed", "integer")
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("reason", "text")
    .addColumn("state_at", "integer", (column) => column.notNull())
    .addColumn("attributes_wanted", "integer", (column) => column.notNull())
    .addColumn("installed_action_id", "integer")
    .addColumn("auto_confirm_at", "integer")
    .addColumn("auto_confirm_initiator", "text")
    .addColumn("auto_confirm_remark", "text")
    .execute();
  await db.schema
    .createIndex("devices_by_hardware")
    .on("devices")
    .columns(["hardware", "id"])
    .execute();
  await db.schema.createIndex("devices_by_state").on("devices").columns(["state", "id"]).execute();
  await db.schema
    .createTable("device_attributes")
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("value", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("device_attributes_key", ["device_id", "key"])
    .modifyEnd(sql`without rowid`)
    .execute();
  await db.schema
    .createTable("device_refusals")
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("image_hash", "text", (column) => column.notNull())
    .addColumn("release_id", "integer", (column) => column.notNull())
    .addColumn("reason", "text")
    .addColumn("at", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("device_refusals_key", ["device_id", "image_hash"])
    .modifyEnd(sql`without rowid`)
    .execute();
}

async function createReleases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("releases")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("version", "text", (column) => column.notNull().unique())
    .addColumn("created_at", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("images")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("release_id", "integer", (column) => column.notNull().references("releases.id"))
    .addColumn("hardware", "text", (column) => column.notNull())
    .addColumn("image_hash", "text", (column) => column.notNull())
    .addColumn("file_sha256", "text", (column) => column.notNull())
    .addColumn("file_sha1", "text", (column) => column.notNull())
    .addColumn("file_md5", "text", (column) => column.notNull())
    .addColumn("file_bytes", "integer", (column) => column.notNull())
    .addColumn("file_name", "text", (column) => column.notNull())
    .addColumn("security_counter", "integer")
    .addColumn("build_id", "text")
    .addColumn("created_at", "integer", (column) => column.notNull())
    .addUniqueConstraint("images_of_release", ["release_id", "hardware"])
    .execute();
  await db.schema.createIndex("images_by_hash").on("images").column("image_hash").execute();
}

async function createRollouts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("rollouts")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("release_id", "integer", (column) => column.notNull().references("releases.id"))
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("halt", "text")
    .addColumn("current_stage", "integer", (column) => column.notNull())
    .addColumn("definition", "text", (column) => column.notNull())
    .addColumn("eligible", "integer", (column) => column.notNull())
    .addColumn("created_at", "integer", (column) => column.notNull())
    .addColumn("started_at", "integer")
    .addColumn("ended_at", "integer")
    .execute();
  let stages = db.schema
    .createTable("rollout_stages")
    .addColumn("rollout_id", "integer", (column) => column.notNull())
    .addColumn("stage", "integer", (column) => column.notNull())
    .addColumn("percent", "real", (column) => column.notNull())
    .addColumn("soak_seconds", "integer", (column) => column.notNull())
    .addColumn("cutoff", "integer", (column) => column.notNull())
    .addColumn("opened_at", "integer")
    .addColumn("settled_at", "integer")
    .addColumn("completed_at", "integer");
  for (const counter of stageCounters)
    stages = stages.addColumn(counter, "integer", (column) => column.notNull().defaultTo(0));
  await stages.addPrimaryKeyConstraint("rollout_stages_key", ["rollout_id", "stage"]).execute();
  await db.schema
    .createTable("rollout_members")
    .addColumn("rollout_id", "integer", (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("bucket", "integer", (column) => column.notNull())
    .addColumn("stage", "integer", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("reason", "text")
    .addColumn("changed_at", "integer", (column) => column.notNull())
    .addColumn("proof_due_at", "integer")
    .addPrimaryKeyConstraint("rollout_members_key", ["device_id", "rollout_id"])
    .modifyEnd(sql`without rowid`)
    .execute();
  await db.schema
    .createIndex("rollout_members_by_state")
    .on("rollout_members")
    .columns(["rollout_id", "state", "device_id"])
    .execute();
  await db.schema
    .createIndex("rollout_members_by_due")
    .on("rollout_members")
    .column("proof_due_at")
    .where(sql<boolean>`proof_due_at is not null`)
    .execute();
}

async function createActions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("actions")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("rollout_id", "integer", (column) => column.notNull())
    .addColumn("image_id", "integer", (column) => column.notNull().references("images.id"))
    .addColumn("mode", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("last_report", "text", (column) => column.notNull())
    .addColumn("created_at", "integer", (column) => column.notNull())
    .addColumn("changed_at", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("actions_by_device")
    .on("actions")
    .columns(["device_id", "id"])
    .execute();
  await db.schema
    .createTable("action_reports")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("action_id", "integer", (column) => column.notNull())
    .addColumn("at", "integer", (column) => column.notNull())
    .addColumn("execution", "text", (column) => column.notNull())
    .addColumn("finished", "text", (column) => column.notNull())
    .addColumn("details", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("action_reports_by_action")
    .on("action_reports")
    .columns(["action_id", "id"])
    .execute();
}

async function createEvents(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("events")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("at", "integer", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("device_id", "text")
    .addColumn("rollout_id", "integer")
    .addColumn("release_version", "text")
    .addColumn("device_event_id", "text")
    .addColumn("details", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("events_once_per_device")
    .on("events")
    .columns(["device_id", "device_event_id"])
    .unique()
    .where(sql<boolean>`device_event_id is not null`)
    .execute();
  await db.schema
    .createIndex("events_by_device")
    .on("events")
    .columns(["device_id", "id"])
    .execute();
}
