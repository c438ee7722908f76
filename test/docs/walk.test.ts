// What the README and the guides tell a newcomer to type, typed in their order in a copy of the
// sources.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandsOf, readDocument } from "../support/documents.ts";
import { freePort, Terminals } from "../support/terminals.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const command = join(root, "hosts", "cli", "main.ts");
const withoutGit = spawnSync("git", ["--version"]).status !== 0;

const useIt = commandsOf(readDocument("README.md"), "## Use it");

describe("what the pages tell a newcomer to type", { concurrency: 2 }, () => {
  test("leads from a key over https and a ceremony to signed metadata", async (t) => {
    const { terminals, folder } = await openCheckout(t);
    for (const block of useIt) await terminals.type(block);
    const fromTheDesk = commandsOf(
      readDocument("docs/configuration.md"),
      "## From the desk to the device",
    );
    for (const block of fromTheDesk) await terminals.type(block);
    for (const [path, heading] of [
      ["docs/https.md", "# HTTPS between devices and their fleet"],
      ["docs/keys.md", "# Keys"],
      ["docs/trust.md", "# Trust: what a device installs"],
    ] as const)
      for (const block of commandsOf(readDocument(path), heading)) await terminals.type(block);
    assertNothingForGit(t, folder);
  });

  test("leads from nothing to a device that updates", async (t) => {
    const { terminals, folder } = await openCheckout(t);
    const blocks = commandsOf(readDocument("README.md"), "## A fleet in four commands");
    assert.ok(blocks.length >= 4);
    for (const block of blocks) await terminals.type(block);
    assertNothingForGit(t, folder);
  });

  // Beside the others, since it takes nothing of them but the key with which the README begins.
  test("leads through a rollout that halts, and the way back", async (t) => {
    const { terminals, folder } = await openCheckout(t);
    const blocks = commandsOf(readDocument("docs/rollouts.md"), "# Rollouts");
    for (const block of [...useIt.slice(0, 1), ...blocks]) await terminals.type(block);
    assertNothingForGit(t, folder);
  });
});

async function openCheckout(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-walk-"));
  for (const part of ["src", "package.json", "package-lock.json", ".gitignore"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const port = String(await freePort());
  const securePort = String(await freePort());
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
  t.after(async () => {
    await terminals.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { terminals, folder };
}

/** Of what the commands left in the checkout. */
function assertNothingForGit(t: TestContext, folder: string): void {
  if (withoutGit) {
    t.diagnostic("without git nobody says what it would take");
    return;
  }
  const git = (...words: string[]) =>
    execFileSync("git", words, { cwd: folder, encoding: "utf8" }).trimEnd();
  git("init", "--quiet");
  const left = git("ls-files", "--others", "--exclude-standard").split("\n");
  assert.deepEqual(left.filter((file) => !file.startsWith("src/")).sort(), [
    ".gitignore",
    "package-lock.json",
    "package.json",
    "typed.sh",
  ]);
}
