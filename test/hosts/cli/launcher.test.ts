import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../support/command-line.ts";

const launcher = fileURLToPath(new URL("../../../hosts/cli/launcher.js", import.meta.url));

/** A server behind the launcher, in a process group of its own, which listens. */
async function launched(
  context: TestContext,
  through: "shell" | "nothing",
  environment: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const data = join(temporaryFolder(context), "data");
  const serve = [launcher, "fleet", "serve", "--data", data, "--port", "0"];
  // The `:` behind it keeps the shell from becoming what it starts.
  const child =
    through === "nothing"
      ? spawn(process.execPath, serve, options(environment))
      : spawn("sh", ["-c", '"$@"; :', "sh", process.execPath, ...serve], options(environment));
  context.after(() => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // the whole group has ended, as it should
    }
  });
  assert.ok(child.stdout);
  await once(createInterface({ input: child.stdout }), "line");
  child.stdout.resume();
  return child;
}

function options(environment: Readonly<Record<string, string>>): SpawnOptions {
  const { npm_command: _, ...inherited } = process.env;
  const env = { ...inherited, ...environment };
  return { detached: true, stdio: ["ignore", "pipe", "ignore"], env };
}

test("passes SIGTERM on, and ends with the server's own exit code", async (t) => {
  const child = await launched(t, "nothing");
  const closed = once(child, "close"); // nobody holds the server's output any more
  child.kill("SIGTERM");
  assert.deepEqual(await closed, [0, null]);
});

test("takes one signal that reaches the whole group for one", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const child = await launched(t, "nothing");
    const closed = once(child, "close");
    process.kill(-(child.pid ?? 0), signal);
    assert.deepEqual(await closed, [0, null], signal);
  }
});

test("ends the server when npm's shell was ended and the signal with it", async (t) => {
  const child = await launched(t, "shell", { npm_command: "exec" });
  const closed = once(child, "close");
  child.kill("SIGTERM");
  assert.deepEqual(await closed, [null, "SIGTERM"]);
});
