import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { CommandError } from "../../../hosts/cli/command/exit.ts";
import { runProgram } from "../../../hosts/cli/run.ts";
import { sluice } from "../../support/command-line.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

test("help and version end with 0, and write to stdout", async () => {
  const help = await sluice("--help");
  assert.deepEqual([help.exitCode, help.stderr], [0, ""]);
  assert.match(help.stdout, /keys .*image .*release .*fleet /s);
  assert.equal((await sluice("image", "sign", "--help")).exitCode, 0);
  assert.deepEqual(await sluice("--version"), { exitCode: 0, stdout: "0.1.0\n", stderr: "" });
});

test("a wrong command line ends with 2 and says what is wrong", async () => {
  for (const [argv, message] of [
    [[], /Usage: sluice/],
    [["imgae"], /unknown command 'imgae'/],
    [["image", "info"], /missing required argument 'file'/],
    [["image", "info", "x", "--jsn"], /unknown option '--jsn'/],
    [["image", "sign", "a", "b", "-v", "1.2.x", "-S", "8192"], /major\.minor\.revision\+build/],
    [["image", "sign", "a", "b", "-v", "1.2.3", "-S", "many"], /whole number from 1 to 16777216/],
  ] as const) {
    const result = await sluice(...argv);
    assert.equal(result.exitCode, 2, argv.join(" "));
    assert.equal(result.stdout, "");
    assert.match(result.stderr, message);
  }
});

test("an expected failure is one line without a stack and ends with its own code", async () => {
  const result = await sluice("image", "info", "/nowhere/image.bin");
  assert.equal(result.exitCode, 65);
  assert.equal(
    result.stderr,
    "sluice: cannot read the image /nowhere/image.bin: there is no such file or folder; check the path\n",
  );
});

test("a defect of ours ends with 70 and tells its stack", async () => {
  let stderr = "";
  const program = new Command("sluice").exitOverride().configureOutput({
    writeErr: (text) => {
      stderr += text;
    },
  });
  program.command("broken").action(() => {
    throw new TypeError("oops");
  });
  program.command("refuses").action(() => {
    throw new CommandError("no", 69);
  });
  assert.equal(await runProgram(program, ["broken"]), 70);
  assert.match(stderr, /internal error.*TypeError: oops.*at /s);
  assert.equal(await runProgram(program, ["refuses"]), 69);
});

test("the process hands the exit code on", () => {
  const main = join(root, "hosts", "cli", "main.ts");
  const run = spawnSync(process.execPath, [main, "image", "info", "/nowhere"], {
    encoding: "utf8",
  });
  assert.equal(run.status, 65);
  assert.match(run.stderr, /^sluice: cannot read the image/);
});
