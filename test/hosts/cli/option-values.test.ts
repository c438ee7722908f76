import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Command, InvalidArgumentError } from "commander";
import { CommandError } from "../../../hosts/cli/command/exit.ts";
import { createProgram } from "../../../hosts/cli/program.ts";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

const values = [
  ...["", " ", "-1", "-0", "NaN", "Infinity", "1e9", "1e400", "0x", "0xzz", "0x1p3", " 7", "7 "],
  ...["1.5", "1,5", "٣", "9".repeat(400), "4294967296", "65536", "null", "true", "[]", "\u0000"],
  ...["1.2.3.4", "256.0.0", "-1.0.0", "1.0.0+", "=", "a=", "=b", "(1, 2)", "(999, 1.0.0)", "auto "],
];

interface Parsed {
  readonly name: string;
  readonly parse: (text: string, before: unknown) => unknown;
  readonly before: unknown;
}

function* parsersOf(command: Command, path: string): Generator<Parsed> {
  for (const { flags, parseArg, defaultValue } of command.options)
    if (parseArg !== undefined) {
      const parse = parseArg as Parsed["parse"];
      yield { name: `${path} ${flags}`, parse, before: defaultValue };
    }
  for (const argument of command.registeredArguments) {
    const { parseArg, defaultValue } = argument;
    if (parseArg !== undefined) {
      const parse = parseArg as Parsed["parse"];
      yield { name: `${path} <${argument.name()}>`, parse, before: defaultValue };
    }
  }
  for (const one of command.commands) yield* parsersOf(one, `${path} ${one.name()}`);
}

test("no value of an option of any command ends as an internal error, nor becomes no number", () => {
  let count = 0;
  for (const { name, parse, before } of parsersOf(createProgram(), "sluice"))
    for (const value of values) {
      count += 1;
      try {
        const parsed = parse(value, before);
        if (typeof parsed === "number")
          assert.ok(Number.isFinite(parsed) && parsed >= 0, `${name} ${JSON.stringify(value)}`);
      } catch (error) {
        const isExpected = error instanceof InvalidArgumentError || error instanceof CommandError;
        assert.ok(isExpected, `${name} ${JSON.stringify(value)}: ${error}`);
      }
    }
  assert.ok(count > 50 * values.length, `${count}`);
});

test("numbers at and beyond their limits end with 2 or 65, and leave nothing behind", async (context) => {
  const folder = temporaryFolder(context);
  const [key, input, out] = ["key.pem", "in.bin", "out.img"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(key, createKeyPair().privatePem);
  writeFileSync(input, "firmware");
  const cases: ReadonlyArray<readonly [readonly string[], number]> = [
    [["-H", "65536"], 2],
    [["-H", "31"], 2],
    [["-H", "65535"], 65],
    [["-H", "-5"], 2],
    [["-S", "0"], 2],
    [["-S", "1"], 65],
    [["-S", "0x1000001"], 2],
    [["-S", "5000"], 65],
    [["--align", "3"], 2],
    [["--align", "32", "--max-align", "8"], 2],
    [["-s", "4294967296"], 2],
    [["-s", "-1"], 2],
    [["--custom-tlv", "1e3", "x"], 2],
    [["--custom-tlv", "0x9f", "x"], 2],
    [["--custom-tlv", "0xffff", "x"], 2],
    [["--custom-tlv", "0x00a5", `0x${"0".repeat(140_000)}`], 2],
    [["-d", "(256, 1.0.0)"], 2],
    [["-d", "(1, 256.0.0)"], 2],
    [["--build-id", "00".repeat(300)], 2],
    [["-v", "1.0.0+4294967296"], 2],
  ];
  for (const [more, exitCode] of cases) {
    const run = await sluice(
      ...["image", "sign", "-v", "1.0.0", "-S", "0x10000", "--pad-header", "-k", key],
      ...more,
      ...[input, out],
    );
    assert.equal(run.exitCode, exitCode, `${more.join(" ").slice(0, 80)}: ${run.stderr}`);
    assert.ok(!existsSync(out));
  }
  assert.deepEqual(
    readdirSync(folder)
      .filter((name) => !name.startsWith(".") && !name.startsWith("audit"))
      .sort(),
    ["in.bin", "key.pem"],
  );
});
