#!/usr/bin/env node
// Starts the command on the Node 24 that npm installed beside it, whatever Node is on the PATH.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const bundled = join(root, "node_modules", "node", "bin", "node");
const [major] = process.versions.node.split(".").map(Number);
const runtime = existsSync(bundled) ? bundled : process.execPath;
if (runtime === process.execPath && major < 24) {
  console.error(`sluice: needs Node 24, this is ${process.version}; run "npm ci" in ${root} first`);
  process.exit(69);
}
const child = spawn(runtime, [join(root, "hosts", "cli", "main.ts"), ...process.argv.slice(2)], {
  stdio: "inherit",
  // Two thirds of a start would be spent on compiling the same sources again.
  env: { NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "node"), ...process.env },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`sluice: ${runtime} does not start: ${error.message}`);
  process.exit(69);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

// npm starts commands through a shell, passes a signal on to that shell alone, and leaves what the
// shell had started behind. So when npm's shell is gone, the signal that ended it is passed on from
// here.
if (process.env.npm_command !== undefined) {
  const shell = process.ppid;
  const look = () => {
    if (process.ppid === shell) return;
    clearInterval(looking);
    child.kill("SIGTERM");
  };
  const looking = setInterval(look, 250);
  looking.unref();
}
