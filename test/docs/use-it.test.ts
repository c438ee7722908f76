// What the README tells a newcomer to type, typed in a copy of the sources.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandsOf } from "../support/documents.ts";
import { freePort, Terminals } from "../support/terminals.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("the commands of the README lead from a key to an updated device", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-readme-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of ["src", "package.json", "package-lock.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const port = String(await freePort());
  const launcher = join(root, "hosts", "cli", "launcher.js");
  const terminals = new Terminals({
    folder,
    environment: { ...process.env, SLUICE_FLEET: `http://127.0.0.1:${port}` },
    replaced: (text) => text.replaceAll("8080", port),
    beginning: `npx() { shift; "${process.execPath}" "${launcher}" "$@"; }\n`,
  });
  context.after(() => terminals.close());
  const text = readFileSync(join(root, "README.md"), "utf8");
  for (const block of commandsOf(text, "## Use it")) await terminals.type(block);
});
