import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../support/command-line.ts";
import { signedRepository } from "../../support/trust-repository.ts";
import { type CutWork, doWork, openCut } from "./cut-work.ts";
import { nowUnixMs, release } from "./trust/trust-scene.ts";

const script = join(import.meta.dirname, "cut-process.ts");
/** Spread over all steps of the work, which a run without a cut counts. */
const cutsPerWork = 5;

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

/** What migrations since the fifth brought is taken out again, as it was before they came. */
function makeOlder(folder: string): void {
  const database = new DatabaseSync(join(folder, "fleet.sqlite"));
  database.exec("drop table director_times");
  database.exec("alter table rollout_stages drop column joined");
  database.exec("alter table rollout_stages drop column no_link");
  database.exec("alter table rollout_members drop column silent_rollbacks");
  database.exec("delete from kysely_migration where name >= '0008'");
  database.close();
}

function leftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".part"));
}

for (const kind of ["publish", "rollout", "migration", "trust"] as const)
  test(`a server that is killed in the middle of a ${kind} goes on, and does it when asked again`, async (t) => {
    const start = await before(t);
    if (kind === "migration") makeOlder(start);
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
    for (let cut = 0; cut < cutsPerWork; cut += 1) {
      const cutAt = 1 + Math.floor((cut * (steps - 1)) / (cutsPerWork - 1));
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
