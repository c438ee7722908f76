import { type Command, Option } from "commander";
import { passphraseCharactersMin } from "../../release/keys/encrypted-key.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readText } from "../command/files.ts";
import { secretVariable } from "../command/secrets.ts";

export interface PassphraseFlags {
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
}

const defaultVariable = "SLUICE_PASSPHRASE";
const charactersMax = 1024;

/** Never a passphrase itself: other users of the machine see command lines. */
export function addPassphraseOptions(command: Command): Command {
  return command
    .option("--passphrase-file <file>", "file whose first line is the passphrase or PIN")
    .addOption(
      new Option(
        "--passphrase-env <variable>",
        `variable that holds it; ${defaultVariable} if set, else it is asked for`,
      ).conflicts("passphraseFile"),
    );
}

/** The passphrase of a key that is there: from a file, a variable or the terminal. */
export async function readPassphrase(flags: PassphraseFlags, what: string): Promise<string> {
  const given = givenPassphrase(flags);
  return given ?? (await ask(what));
}

/** The passphrase of a new key: asked for twice, and not a short one. */
export async function newPassphrase(flags: PassphraseFlags, what: string): Promise<string> {
  const given = givenPassphrase(flags);
  const passphrase = given ?? (await ask(what));
  if (passphrase.length < passphraseCharactersMin)
    throw new CommandError(
      `the passphrase has ${passphrase.length} characters; give at least ${passphraseCharactersMin}`,
    );
  if (given === null && (await ask(`${what} again`)) !== passphrase)
    throw new CommandError("the two passphrases differ; nothing was made");
  return passphrase;
}

function givenPassphrase(flags: PassphraseFlags): string | null {
  if (flags.passphraseFile !== undefined) return fromFile(flags.passphraseFile);
  const name = flags.passphraseEnv ?? defaultVariable;
  const value = secretVariable(name);
  if (value !== undefined && value !== "") return value;
  if (flags.passphraseEnv === undefined) return null;
  throw new CommandError(`the variable ${name} is not set or empty`, exitCodes.usage);
}

function fromFile(path: string): string {
  const line = readText(path, "the passphrase").split(/\r?\n/, 1)[0] ?? "";
  if (line !== "") return line;
  throw new CommandError(`the first line of ${path} is empty; it must be the passphrase`);
}

/** Asks on the terminal without showing what is typed. */
function ask(what: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY)
    throw new CommandError(
      `${what} is needed and there is no terminal to ask at: give --passphrase-file or set ${defaultVariable}`,
      exitCodes.usage,
    );
  stdin.setRawMode(true); // before the prompt, so that nothing is shown
  stderr.write(`${what}: `);
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (): void => {
      stdin.off("data", read);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
    };
    const read = (bytes: Buffer): void => {
      for (const character of bytes.toString("utf8")) {
        if (character === "\r" || character === "\n") {
          end();
          resolve(typed);
          return;
        }
        if (character === "\u0003" || character === "\u0004") {
          end();
          reject(new CommandError("interrupted; nothing was done", exitCodes.usage));
          return;
        }
        if (character === "\u007f" || character === "\b") typed = typed.slice(0, -1);
        else if (typed.length < charactersMax) typed += character;
      }
    };
    stdin.on("data", read);
  });
}
