// A fleet server that is killed at a step that is counted: a change of the database, a file that is
// written, synced or renamed. cuts.test.ts starts it.
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { DatabaseSync, StatementSync } from "node:sqlite";
import type { TestContext } from "node:test";

const [workText = "{}", cutText = "0"] = process.argv.slice(2);
/** 0 cuts nothing. */
const cutAt = Number(cutText);
let steps = 0;
let isCounted = false;

/** Reading leaves nothing behind. */
const changing = /^\s*(alter|begin|commit|create|delete|drop|insert|replace|update|with)\b/i;

function count(sql = ""): void {
  if (!isCounted || (sql !== "" && !changing.test(sql))) return;
  steps += 1;
  if (steps === cutAt) process.kill(process.pid, "SIGKILL");
}

// biome-ignore lint/suspicious/noExplicitAny: methods of any shape are wrapped
function wrap(owner: any, names: readonly string[]): void {
  for (const name of names) {
    const inner = owner[name];
    owner[name] = function (this: unknown, ...rest: unknown[]) {
      count(this instanceof StatementSync ? this.sourceSQL : undefined);
      return inner.apply(this, rest);
    };
  }
}

wrap(StatementSync.prototype, ["run", "all"]);
wrap(DatabaseSync.prototype, ["exec"]);
const probe = await promises.open(import.meta.filename);
wrap(Object.getPrototypeOf(probe), ["sync", "writeFile"]);
await probe.close();
wrap(promises, ["rename"]);
syncBuiltinESMExports();

const { doWork } = await import("./cut-work.ts");
const context = { after() {} } as unknown as TestContext; // the process ends with its server
await doWork(context, JSON.parse(workText), () => {
  isCounted = true;
});
isCounted = false;
process.stdout.write(`${steps}\n`);
process.exit();
