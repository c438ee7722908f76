import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type CommandResult, sluice, temporaryFolder } from "../../support/command-line.ts";

const main = fileURLToPath(new URL("../../../hosts/cli/main.ts", import.meta.url));

/** Runs `sluice` as a process of its own. */
function sluiceProcess(argv: readonly string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, [main, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (bytes) => {
      written[name] += String(bytes);
    });
  return new Promise((resolve) =>
    child.on("close", (code) => resolve({ exitCode: code ?? -1, ...written })),
  );
}

function workplace(context: TestContext) {
  const folder = temporaryFolder(context);
  const passphrase = join(folder, "passphrase");
  writeFileSync(passphrase, "correct horse battery\n");
  const keyring = join(folder, "keys");
  const where = ["--keyring", keyring, "--passphrase-file", passphrase];
  const repository = ["--repository", join(folder, "trust")];
  const list = async () =>
    JSON.parse((await sluice("keys", "list", "--keyring", keyring, "--json")).stdout).keys;
  return { folder, keyring, where, repository, list };
}

function allEnded(results: readonly CommandResult[]): void {
  assert.deepEqual(
    results.map(({ exitCode, stderr }) => (exitCode === 0 ? 0 : stderr)),
    results.map(() => 0),
  );
}

test("six keys that are made at once are six entries, and six lines of the audit log", async (context) => {
  const { folder, keyring, where, list } = workplace(context);
  const names = ["image-1", "image-2", "image-3", "image-4", "image-5", "image-6"];
  allEnded(
    await Promise.all(
      names.map((name) =>
        sluiceProcess(["keys", "create", "--name", name, "--role", "image", ...where]),
      ),
    ),
  );
  const entries = (await list()) as { name: string }[];
  assert.deepEqual(entries.map(({ name }) => name).sort(), names);
  writeFileSync(join(folder, "app.bin"), "firmware");
  const sign = (name: string) =>
    sluiceProcess([
      ...["image", "sign", "--version", "1.0.0", "--pad-header", "--slot-size", "0x20000"],
      ...[
        "--signer",
        `key:${name}`,
        join(folder, "app.bin"),
        join(folder, `${name}.img`),
        ...where,
      ],
    ]);
  allEnded(await Promise.all(names.map(sign)));
  const verified = await sluice("audit", "verify", "--keyring", keyring, "--json");
  assert.equal(verified.exitCode, 0, verified.stderr);
  assert.equal(readFileSync(join(keyring, "audit.jsonl"), "utf8").split("\n").length, 7);
  const left = readdirSync(keyring).filter((name) => /part|holder/.test(name));
  assert.deepEqual(left, []);
});

test("drafts that are changed and signed at once keep every change and every signature", async (context) => {
  const { where, repository } = workplace(context);
  const names = ["root-1", "root-2", "root-3", "root-4", "targets-1", "online-1"];
  for (const name of names.filter((one) => one !== "root-3" && one !== "root-4"))
    allEnded([
      await sluice("keys", "create", "--name", name, "--role", name.slice(0, -2), ...where),
    ]);
  allEnded([await sluice("trust", "init", ...repository, ...where)]);
  const sign = (name: string) =>
    sluiceProcess(["trust", "sign", "--signer", `key:${name}`, ...repository, ...where]);
  allEnded(await Promise.all([sign("root-1"), sign("root-2"), sign("targets-1")]));
  for (const name of ["root-3", "root-4"])
    allEnded([await sluice("keys", "create", "--name", name, "--role", "root", ...where)]);
  const add = (name: string) =>
    sluiceProcess(["trust", "add-key", "root", name, ...repository, ...where]);
  allEnded(await Promise.all([add("root-3"), add("root-4")]));
  // All four must sign, so that none finds the work done by the others.
  allEnded([await sluice("trust", "set-threshold", "root", "4", ...repository)]);
  allEnded(await Promise.all(["root-1", "root-2", "root-3", "root-4"].map(sign)));
  const verified = await sluice("trust", "verify", ...repository, "--json");
  assert.match(verified.stdout, /"version": 2/, verified.stdout + verified.stderr);
  const root = JSON.parse(
    readFileSync(join(repository[1]!, "metadata", "2.root.json"), "utf8"),
  ).signed;
  assert.equal(root.roles.root.keyids.length, 4);
});
