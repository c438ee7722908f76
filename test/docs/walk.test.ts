// What the README and the guides tell a newcomer to type, typed in their order in a copy of the sources.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandsOf, readDocument } from "../support/documents.ts";
import { freePort, Terminals } from "../support/terminals.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sluice-walk-"));
const port = String(await freePort());
const securePort = String(await freePort());
const command = join(root, "hosts", "cli", "main.ts");

const terminals = new Terminals({
  folder,
  environment: {
    ...process.env,
    SLUICE_FLEET: `http://127.0.0.1:${port}`,
    SLUICE_PASSPHRASE: "each holder types one of their own",
    NODE_COMPILE_CACHE: join(folder, ".build", "cache"),
  },
  replaced: (text) => text.replaceAll("8080", port).replaceAll("8443", securePort),
  beginning: `npx() { shift; "${process.execPath}" "${command}" "$@"; }\n`,
});

const git = (...words: string[]) =>
  execFileSync("git", words, { cwd: folder, encoding: "utf8" }).trimEnd();
const withoutGit = spawnSync("git", ["--version"]).status === 0 ? false : "needs git";

before(() => {
  for (const part of ["src", "package.json", "package-lock.json", ".gitignore"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
after(async () => {
  await terminals.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const [path, heading, leads] of [
  ["README.md", "## Use it", "from a key to an updated device"],
  ["docs/https.md", "# HTTPS between devices and their fleet", "a device to https"],
  ["docs/keys.md", "# Keys", "from a ceremony to a signed release"],
  ["docs/trust.md", "# Trust: what a device installs", "a device to signed metadata"],
  ["docs/rollouts.md", "# Rollouts", "through a rollout that halts, and the way back"],
] as const)
  test(`the commands of ${path} lead ${leads}`, async () => {
    for (const block of commandsOf(readDocument(path), heading)) await terminals.type(block);
  });

test("what the commands leave in a checkout is nothing that git would take", {
  skip: withoutGit,
}, () => {
  git("init", "--quiet");
  const left = git("ls-files", "--others", "--exclude-standard").split("\n");
  assert.deepEqual(left.filter((file) => !file.startsWith("src/")).sort(), [
    ".gitignore",
    "package-lock.json",
    "package.json",
    "typed.sh",
  ]);
});
