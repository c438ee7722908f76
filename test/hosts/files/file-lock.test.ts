import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FileHeldError, lockFile, withFileLock } from "../../../hosts/files/file-lock.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { hangMs } from "../../support/patience.ts";

const moduleUrl = new URL("../../../hosts/files/file-lock.ts", import.meta.url).href;

/** Another process that takes the lock and keeps it until it is killed. */
async function holder(context: TestContext, path: string): Promise<ChildProcess> {
  const program = `
    import { lockFile } from ${JSON.stringify(moduleUrl)};
    await lockFile(${JSON.stringify(path)}, { purpose: "a test that holds", waitMsMax: 0 });
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  return child;
}

test("a lock that another process has is refused with that process's words", async (context) => {
  const path = join(temporaryFolder(context), "keyring.json");
  const child = await holder(context, path);
  await assert.rejects(
    lockFile(path, { purpose: "a second one", waitMsMax: 0 }),
    (error: Error) =>
      error instanceof FileHeldError &&
      error.message.includes("keyring.json is in use by a test that holds, process ") &&
      error.message.includes(String(child.pid)),
  );
});

test("the lock of a process that was killed is free, whoever has its id now", async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "keyring.json");
  const child = await holder(context, path);
  child.kill("SIGKILL");
  await once(child, "exit");
  writeFileSync(join(folder, ".keyring.json.holder"), `somebody, process ${process.pid}`);
  const lock = await lockFile(path, { purpose: "the next one", waitMsMax: 0 });
  lock.release();
  lock.release();
});

test("waits for the one who has it, within one process too", async (context) => {
  const path = join(temporaryFolder(context), "audit.jsonl");
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} ends`);
  };
  const options = { purpose: "a test", waitMsMax: hangMs };
  await Promise.all(["a", "b", "c"].map((name) => withFileLock(path, options, work(name))));
  assert.equal(order.length, 6);
  for (let index = 0; index < order.length; index += 2)
    assert.equal(order[index + 1], order[index]?.replace("begins", "ends"));
});

test("lets go when the work fails, and leaves no word of itself", async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "x");
  const options = { purpose: "a test", waitMsMax: 0 };
  const failing = withFileLock(path, options, () => Promise.reject(new Error("no")));
  await assert.rejects(failing, { message: "no" });
  (await lockFile(path, options)).release();
  assert.deepEqual(readdirSync(folder), [".x.lock"]);
});

test("an error of the file system comes as it is", async (context) => {
  const folder = temporaryFolder(context);
  const options = { purpose: "a test", waitMsMax: 0 };
  await assert.rejects(lockFile(join(folder, "none", "x"), options), { code: "ENOENT" });
  mkdirSync(join(folder, ".y.holder"));
  await assert.rejects(lockFile(join(folder, "y"), options), { code: "EISDIR" });
});

const mounts = spawnSync("unshare", ["--map-root-user", "--mount", "true"]).status === 0;
const noMounts = mounts ? false : "unshare cannot make a mount namespace here";

test("a full disk is told as that, and not as a lock of somebody", {
  skip: noMounts,
}, (context) => {
  const folder = temporaryFolder(context);
  const program = `
    import { lockFile } from ${JSON.stringify(moduleUrl)};
    const options = { purpose: "a test", waitMsMax: 0 };
    await lockFile("x", options).catch(({ name, code }) => console.log(name, code));`;
  const script = `mount -t tmpfs -o size=64k tmpfs . && cd "$PWD" || exit 2
    head -c 1000000 /dev/zero > filler 2> /dev/null
    exec "$1" --input-type=module-typescript -e "$2"`;
  const parameters = ["--map-root-user", "--mount", "sh", "-c", script];
  const { stdout, stderr } = spawnSync(
    "unshare",
    [...parameters, "sh", process.execPath, program],
    { cwd: folder, encoding: "utf8" },
  );
  assert.equal(stdout, "Error ENOSPC\n", stderr);
});
