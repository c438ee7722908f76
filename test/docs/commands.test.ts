// Every `sluice` command that a page tells is one that the program takes, option by option. Nothing
// of it is run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Command, CommanderError } from "commander";
import { joinPairedArguments } from "../../hosts/cli/options/options.ts";
import { createProgram } from "../../hosts/cli/program.ts";
import {
  commandBlocks,
  commandLines,
  documentPaths,
  inlineCode,
  readDocument,
} from "../support/documents.ts";

/**
 * The real command line whose commands do nothing. Answers what commander has to say against the
 * words, or null.
 */
async function complaintAbout(words: readonly string[]): Promise<string | null> {
  const program = createProgram({ writeErr: () => {}, writeOut: () => {} });
  disarm(program);
  try {
    await program.parseAsync(joinPairedArguments(words), { from: "user" });
    return null;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? null : error.message;
    return error instanceof Error ? error.message : String(error);
  }
}

function disarm(command: Command): void {
  if (command.commands.length === 0) command.action(() => {});
  for (const child of command.commands) disarm(child);
}

/** Settings of variables, and the shell's own words. */
const standsBeforeCommands =
  /^(?:(?:\$|do|then|else|if|while|until|!|time|exec|sudo|[A-Za-z_]\w*=(?:"[^"]*"|'[^']*'|\S*))(?:\s+|$))*$/;

/**
 * The words of each `sluice` in a line of shell: quotes gone, `[optional]` taken, comments and
 * redirections left out.
 */
function sluiceCalls(line: string): string[][] {
  const calls: string[][] = [];
  for (const part of line.split(/&&|\|\||[;|](?![^"']*["'](?:\s|$))|\$\(|\)/)) {
    const found = /(?:^|\s)(?:npx )?sluice\s+(.*)$/.exec(part);
    const before = found === null ? "" : part.slice(0, found.index).trim();
    if (found === null || !standsBeforeCommands.test(before)) continue;
    const text = (found[1] ?? "").replace(/\s#.*$/, "").replace(/[[\]]/g, " ");
    const words = [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
      ([, double, single, plain]) => single ?? withNames(double ?? plain ?? ""),
    );
    const end = words.findIndex((word) => /^(?:[0-9]?[<>]|&$)/.test(word));
    calls.push(end < 0 ? words : words.slice(0, end));
  }
  return calls;
}

/** Each variable's name in its place: its value is known when it is typed. */
function withNames(word: string): string {
  return word.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_, braced?: string, bare?: string) => braced ?? bare ?? "",
  );
}

test("finds commands behind variables, in substitutions and between others", () => {
  for (const [line, calls] of [
    ["npx sluice keys list", [["keys", "list"]]],
    [
      'TOKEN=$(npx sluice device add kitchen --hardware "a b")',
      [["device", "add", "kitchen", "--hardware", "a b"]],
    ],
    ["A=1 npx sluice demo --quick # a word", [["demo", "--quick"]]],
    ["A=\"x y\" b='z' sluice demo", [["demo"]]],
    ["for id in a b; do npx sluice device show $id; done", [["device", "show", "id"]]],
    ["echo sluice demo", []],
    ["cd x && npx sluice demo > out.txt", [["demo"]]],
    ["npx sluice fleet serve [--client-ca ca.pem]", [["fleet", "serve", "--client-ca", "ca.pem"]]],
    ["cd sluice", []],
  ] as const)
    assert.deepEqual(sluiceCalls(line), calls, line);
});

test("notices an option that no command has", async () => {
  assert.match((await complaintAbout(["keys", "list", "--nonsense"])) ?? "", /--nonsense/);
  assert.match((await complaintAbout(["keys", "bake"])) ?? "", /bake/);
  assert.match((await complaintAbout(["board", "link"])) ?? "", /--port/);
  assert.equal(await complaintAbout(["board", "link", "--port", "/dev/ttyUSB1"]), null);
});

for (const path of documentPaths())
  test(`every command in ${path} is one that the program takes`, async () => {
    const wrong: string[] = [];
    for (const block of commandBlocks(readDocument(path)))
      for (const { line, text } of commandLines(block))
        for (const call of sluiceCalls(text)) {
          const complaint = await complaintAbout(call);
          if (complaint !== null)
            wrong.push(`${path}:${line}: sluice ${call.join(" ")}: ${complaint}`);
        }
    assert.deepEqual(wrong, []);
  });

for (const path of documentPaths())
  test(`every option told of a command in a sentence of ${path} is one of its options`, () => {
    const wrong: string[] = [];
    for (const { line, text } of inlineCode(readDocument(path))) {
      const found = /^(?:npx )?sluice ([a-z].*)$/.exec(text);
      if (found !== null)
        wrong.push(...strangers(found[1] ?? "").map((what) => `${path}:${line}: ${what}`));
    }
    assert.deepEqual(wrong, []);
  });

/** What a usage such as `keys create --out FILE` names that there is not. */
function strangers(usage: string): string[] {
  let command: Command = createProgram();
  const words = usage.split(/[\s[\]()|\\]+/).filter((word) => word !== "");
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word);
    if (next === undefined) break;
    command = next;
  }
  if (command.parent === null) return [`there is no command "${usage}"`];
  const names = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  names.add("--help");
  return words
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.replace(/[=,.].*$/, ""))
    .filter((word) => !names.has(word))
    .map((word) => `${word} in "sluice ${usage}"`);
}

test("tells the walk of docs/flashing.md as a test can run it", () => {
  const blocks = commandBlocks(readDocument("docs/flashing.md"));
  assert.ok(blocks.filter(({ kind }) => kind === "walk").length >= 6);
  assert.equal(blocks.filter(({ kind }) => kind === "terminal").length, 2);
});

/**
 * Commands without the npx that brings them: whatever stands before and around, but for comments.
 */
function bareCommands(line: string): string[] {
  const text = line.replace(/(?:^|\s)#.*$/, "");
  return [...text.matchAll(/(?<![-\w./@])(npx )?sluice ([a-z]+)/g)].flatMap(([, npx, noun = ""]) =>
    npx === undefined && nouns.has(noun) ? [noun] : [],
  );
}

const nouns = new Set(createProgram().commands.map((command) => command.name()));

test("notices a command without npx, whatever stands before it", () => {
  for (const line of [
    "sluice keys list",
    "  sluice keys list",
    "SLUICE_PASSPHRASE=... sluice keys list",
    'A="b c" D=e sluice keys list',
    "for id in a b; do sluice keys list; done",
    "KEYS=$(sluice keys list)",
    "npx sluice keys list && sluice keys list",
    "sudo -u fleet sluice keys list",
    "$ sluice keys list",
  ])
    assert.deepEqual(bareCommands(line), ["keys"], line);
  for (const line of [
    "npx sluice keys list",
    "A=1 npx sluice keys list # sluice keys",
    "cd sluice",
  ])
    assert.deepEqual(bareCommands(line), [], line);
});

test("says npx wherever a person types the command", () => {
  // A page may make a command of that name itself, with the reader.
  const pages = documentPaths().filter((path) => !readDocument(path).includes("\nsluice() {"));
  const bare = pages.flatMap((path) =>
    commandBlocks(readDocument(path)).flatMap((block) =>
      commandLines(block)
        .filter(({ text }) => bareCommands(text).length > 0)
        .map(({ line, text }) => `${path}:${line}: ${text}`),
    ),
  );
  assert.deepEqual(bare, []);
});
