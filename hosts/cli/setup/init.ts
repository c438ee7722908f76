import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command, OutputConfiguration } from "commander";
import { environmentError, explain } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { writeNew } from "../command/files.ts";
import { type CommandLine, type RunLine, runLines } from "../command/lines.ts";
import { note, print } from "../command/output.ts";
import { holdSecret } from "../command/secrets.ts";
import { configurationFile } from "../options/configuration.ts";
import { wholeNumber } from "../options/options.ts";
import {
  addPassphraseOptions,
  newPassphrase,
  type PassphraseFlags,
} from "../options/passphrase.ts";

interface InitFlags extends PassphraseFlags {
  readonly port: number;
  readonly pollSeconds: number;
}

/** What `init` makes under this name is whole when it gets its own; before, nobody used it. */
const unfinished = ".unfinished";

/**
 * `sluice init`: keys, signed metadata and the configuration of a server in one step. The folder
 * comes to be whole: a power cut leaves none, or one whose name says that it is unfinished.
 */
export function registerInit(program: Command, runLine: RunLine): void {
  addPassphraseOptions(
    program
      .command("init")
      .description("Make keys, signed metadata and a server's configuration in one folder")
      .argument("<dir>", "the folder, which must be new or empty")
      .option(
        "--port <number>",
        "of the server, on loopback",
        wholeNumber({ min: 1, max: 65_535 }),
        8080,
      )
      .option(
        "--poll-seconds <number>",
        "how often devices ask; a fleet has more patience, such as 300",
        wholeNumber({ min: 1, max: 86_399 }),
        5,
      ),
  ).action(async (dir: string, flags: InitFlags, command: Command) => {
    const folder = resolve(dir);
    refuseTaken(folder, dir);
    holdSecret("SLUICE_PASSPHRASE", await newPassphrase(flags, "a passphrase for the keys"));
    const draft = emptyDraft(folder);
    const quiet: OutputConfiguration = { writeOut: () => {}, writeErr: () => {} };
    await runLines(linesFor(draft), runLine, { output: quiet, tell: () => {} });
    const token = `${randomBytes(24).toString("base64url")}\n`;
    writeNew(join(draft, "admin-token"), token, 0o600);
    writeNew(join(draft, configurationFile), documentOf(flags), 0o600);
    try {
      renameSync(draft, folder);
    } catch (error) {
      throw environmentError(error, `cannot make ${dir}`);
    }
    note(command, `${dir}: 3 root keys (2 sign), a targets, an online and an image key, under`);
    note(command, "one passphrase; the root of trust; the configuration of a server.");
    note(command, "Keep a copy of it elsewhere: nothing replaces a lost root key.");
    print(command, nextSteps(dir));
  });
}

/** An empty folder may be taken; one with anything in it is left alone. */
function refuseTaken(folder: string, dir: string): void {
  if (!existsSync(folder)) return;
  if (existsSync(join(folder, configurationFile)))
    throw new CommandError(
      `${dir} has a configuration already: use it by --config ${dir}, or choose another folder`,
      exitCodes.usage,
    );
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new CommandError(`${dir} cannot be used: ${explain(error)}`, exitCodes.usage);
  }
  if (names.length > 0)
    throw new CommandError(`${dir} is not empty: choose a folder of its own`, exitCodes.usage);
}

/** What an `init` left that was cut off is made anew: its keys signed for nobody. */
function emptyDraft(folder: string): string {
  const draft = join(dirname(folder), `.${basename(folder)}${unfinished}`);
  try {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw environmentError(error, `cannot make ${draft}`);
  }
  return draft;
}

function linesFor(draft: string): readonly CommandLine[] {
  const keyring = ["--keyring", join(draft, "keys")];
  const repository = ["--repository", join(draft, "trust")];
  const key = (name: string, role: string, ...more: string[]): CommandLine => [
    ...["keys", "create", "--name", name, "--role", role],
    ...more,
    ...keyring,
  ];
  const sign = (name: string): CommandLine => [
    ...["trust", "sign", "--signer", `key:${name}`],
    ...keyring,
    ...repository,
  ];
  return [
    ...["root-1", "root-2", "root-3"].map((name) => key(name, "root")),
    key("targets-1", "targets"),
    key("online-1", "online"),
    key("image-1", "image", "--public", join(draft, "image-1.pub.pem")),
    ["trust", "init", ...keyring, ...repository],
    ...["root-1", "root-2", "targets-1"].map(sign),
  ];
}

function documentOf({ port, pollSeconds }: InitFlags): string {
  const document = {
    format: 1,
    fleet: `http://127.0.0.1:${port}`,
    adminTokenFile: "admin-token",
    keyring: "keys",
    trust: "trust",
    imageKeys: ["image-1.pub.pem"],
    imageSigner: "key:image-1",
    targetsSigner: "key:targets-1",
    onlineKey: "key:online-1",
    data: "data",
    host: "127.0.0.1",
    port,
    pollSeconds,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function nextSteps(dir: string): string {
  return [
    "next, each in a terminal of its own:",
    `  sluice fleet serve --config ${dir}`,
    `  sluice device simulate kitchen --config ${dir}`,
    `  sluice release ship --version 1.1.0 --hardware esp32c3-a --config ${dir} --start`,
  ].join("\n");
}
