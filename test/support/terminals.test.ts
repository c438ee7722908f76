import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "./command-line.ts";
import { Terminals } from "./terminals.ts";

/** Says its words, each for itself: whoever reads them gets parts that end within lines. */
const cut = `
const { setTimeout: sleep } = require("node:timers/promises");
(async () => {
  for (const part of [Buffer.from("the server li"), Buffer.from("stens\\r\\nça"), Buffer.from([0xe2, 0x82]),
    Buffer.from([0xac, 0x0a]), Buffer.from("no end of line")]) {
    process.stdout.write(part);
    await sleep(50);
  }
})();
`;

function typed(context: Parameters<typeof temporaryFolder>[0]): Terminals {
  const folder = temporaryFolder(context);
  const terminals = new Terminals({ folder, environment: process.env, replaced: (text) => text });
  context.after(() => terminals.close());
  return terminals;
}

test("finds lines whose parts come one by one, cut within a line and a character", async (t) => {
  const terminals = typed(t);
  const commands = `"${process.execPath}" -e '${cut}'`;
  const shown = ["the server listens", "ça€", "no end of line"];
  await terminals.type({ terminal: null, commands, shown });
});

test("fails for a line that did not come, and for a command that ends badly", async (t) => {
  const terminals = typed(t);
  const wrong = { terminal: null, commands: "printf 'one\\ntwo\\n'", shown: ["on"] };
  await assert.rejects(terminals.type(wrong), /not shown by/);
  await assert.rejects(terminals.type({ ...wrong, commands: "exit 3", shown: [] }), /exit code of/);
});

test("keeps variables and functions for later blocks, and runs nothing else again", async (t) => {
  const terminals = typed(t);
  const none = { terminal: null, shown: [] };
  const names = "export ONE=1 \\\n  TWO=2\none() { echo $1$ONE; }\n";
  const commands = `echo once >> said\n${names}two() {\n  echo $1$TWO\n}\necho twice >> said\n`;
  await terminals.type({ ...none, commands });
  await terminals.type({
    ...none,
    commands: "one a; two b; wc -l < said",
    shown: ["a1", "b2", "2"],
  });
});
