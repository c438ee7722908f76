// Commands that stand for several, which they tell as people would type them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "../../../hosts/cli/command/exit.ts";
import { runLines, typedLine } from "../../../hosts/cli/command/lines.ts";

test("a line is told as a shell takes it", () => {
  assert.equal(
    typedLine(["trust", "sign", "--signer", "key:targets-1", "--repository", "my folder/trust"]),
    "sluice trust sign --signer key:targets-1 --repository 'my folder/trust'",
  );
  assert.equal(typedLine(["x", "it's", "$HOME", ""]), "sluice x 'it'\\''s' '$HOME' ''");
});

test("the first line that fails ends it, and is named", async () => {
  const [told, ran]: [string[], string[]] = [[], []];
  const lines = [["one"], ["two"], ["three"]];
  const failing = runLines(
    lines,
    async ([name = ""]) => {
      ran.push(name);
      if (name === "two") throw new CommandError("does not answer", 69);
    },
    { output: {}, tell: (text) => told.push(text) },
  );
  await assert.rejects(failing, (error) => {
    assert.ok(error instanceof CommandError);
    assert.deepEqual([error.message, error.exitCode], ["sluice two: does not answer", 69]);
    return true;
  });
  assert.deepEqual(ran, ["one", "two"]);
  assert.deepEqual(told, ["$ sluice one", "$ sluice two"]);
});
