import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { Kysely, Migrator } from "kysely";
import { migrationProvider } from "../../../hosts/fleet/migrations/index.ts";
import { nodeSqliteDialect } from "../../../hosts/fleet/storage/sqlite/dialect.ts";
import type { Tables } from "../../../hosts/fleet/storage/tables.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { signedRepository } from "../../support/trust-repository.ts";
import { type CutWork, doWork, openCut } from "./cut-work.ts";
import { hardware } from "./test-fleet.ts";
import { nowUnixMs, release } from "./trust/trust-scene.ts";

const script = join(import.meta.dirname, "cut-process.ts");
/** Spread over all steps of the work, which a run without a cut counts. */
const cutsPerWork = 5;
/** Migrations are at the beginning of theirs: what follows is a start like any other. */
const migrationSteps = 10;

async function run(work: CutWork, cutAt: number): Promise<{ out: string; signal: string | null }> {
  const argv = [script, JSON.stringify(work), String(cutAt)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (bytes) => {
    out += bytes;
  });
  const [, signal] = await once(child, "close");
  return { out, signal };
}

/** A folder with devices and a release, of a server that was stopped. */
async function before(t: TestContext): Promise<string> {
  const folder = temporaryFolder(t);
  const fleet = await openCut(t, folder);
  await fleet.addDevices(5);
  await fleet.publish({ version: "1.0.0" });
  await fleet.server.close();
  return folder;
}

/** A folder of a server of the time of that migration. */
async function beforeMigrations(t: TestContext): Promise<string> {
  const folder = temporaryFolder(t);
  const database = new DatabaseSync(join(folder, "fleet.sqlite"));
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(database, { yields: false }) });
  const { error } = await new Migrator({ db, provider: migrationProvider }).migrateTo(
    "0007-counted-events",
  );
  assert.equal(error, undefined);
  for (let number = 0; number < 5; number += 1)
    database.exec(`insert into devices (id, hardware, hardware_by_operator, created_at, state,
      state_at, attributes_wanted) values ('old-${number}', '${hardware}', 1, 1, 'unknown', 1, 0)`);
  await db.destroy();
  return folder;
}

function leftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".part"));
}

for (const kind of ["publish", "rollout", "migration", "trust"] as const)
  test(`a server that is killed in the middle of a ${kind} goes on, and does it when asked again`, async (t) => {
    const start = kind === "migration" ? await beforeMigrations(t) : await before(t);
    const repository = temporaryFolder(t);
    await signedRepository(repository, nowUnixMs, [release]);
    const folderFor = (): string => {
      const folder = join(temporaryFolder(t), "data");
      cpSync(start, folder, { recursive: true });
      return folder;
    };
    const whole = await run({ kind, folder: folderFor(), repository }, 0);
    const steps = Number(whole.out);
    assert.ok(steps >= cutsPerWork, `${steps} steps`);
    const isMigration = kind === "migration";
    const cuts = isMigration ? migrationSteps : cutsPerWork;
    for (let cut = 0; cut < cuts; cut += 1) {
      const cutAt = 1 + (isMigration ? cut : Math.floor((cut * (steps - 1)) / (cuts - 1)));
      const folder = folderFor();
      const { signal } = await run({ kind, folder, repository }, cutAt);
      assert.equal(signal, "SIGKILL", `cut ${cutAt} of ${steps}`);
      const fleet = await doWork(t, { kind, folder, repository }, () => {
        assert.deepEqual(leftovers(folder), [], `cut ${cutAt} of ${steps}`);
      });
      await judge(fleet, { kind, folder, cutAt });
      await fleet.server.close();
    }
  });

async function judge(
  fleet: Awaited<ReturnType<typeof openCut>>,
  { kind, folder, cutAt }: { kind: CutWork["kind"]; folder: string; cutAt: number },
): Promise<void> {
  const at = `cut ${cutAt}`;
  await fleet.server.tick();
  const { problems } = await fleet.api("GET", "/ready");
  const reasons = problems.map(({ reason }: { reason: string }) => reason);
  assert.deepEqual(reasons, kind === "trust" ? [] : ["metadata-missing"], at);
  assert.deepEqual(leftovers(folder), [], at);
  assert.equal((await fleet.api("GET", "/devices")).items.length, 5, at);
  if (kind === "publish") {
    const { images } = await fleet.api("GET", "/releases/2.0.0");
    assert.equal(images.length, 1, at);
  }
  if (kind === "rollout") {
    const { items } = await fleet.api("GET", "/rollouts");
    assert.equal(items.length, 1, at);
    const { stages, state } = items[0];
    const members = stages.reduce(
      (sum: number, stage: { members: number }) => sum + stage.members,
      0,
    );
    assert.deepEqual([members, state], [5, "running"], at);
  }
}
