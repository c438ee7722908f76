import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { printableLines } from "../../../hosts/text/terminal-text.ts";
import { temporaryFolder } from "../../support/command-line.ts";

const command = join(import.meta.dirname, "..", "..", "..", "hosts", "cli", "main.ts");

test("nothing that anybody sends makes the server's own terminal obey, and its log stays JSON", async (t) => {
  const argv = [command, "fleet", "serve", "--data", temporaryFolder(t), "--port", "0"];
  const server = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => server.kill("SIGKILL"));
  const [said, ended] = [text(server.stderr), once(server, "exit")];
  const [address] = await once(createInterface({ input: server.stdout }), "line");
  const names = ["\u009b2J", "\u202egnp.exe", "\u001b]0;owned\u0007", "\u2028{}"];
  for (const name of names) {
    const path = `/DEFAULT/controller/v1/${encodeURIComponent(name)}`;
    const answer = await fetch(address + path, {
      headers: { authorization: "TargetToken not-the-token-of-it" },
    });
    assert.equal(answer.status, 401);
  }
  server.kill("SIGTERM");
  await ended;
  const log = await said;
  assert.equal(log, printableLines(log));
  const lines = log.split("\n").filter((line) => line.startsWith("{"));
  const subjects = lines.map((line) => JSON.parse(line)["subject"]).filter(Boolean);
  assert.deepEqual(
    subjects,
    names.map((name) => `device ${name}`),
  );
});
