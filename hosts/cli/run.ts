import { type Command, CommanderError, type OutputConfiguration } from "commander";
import { environmentError } from "./command/environment-error.ts";
import { CommandError, exitCodes } from "./command/exit.ts";
import { guardedOutput } from "./command/output.ts";
import { withholdSecrets } from "./command/secrets.ts";
import { underConfiguration } from "./options/configuration.ts";
import { joinPairedArguments } from "./options/options.ts";
import type { PassphraseFlags } from "./options/passphrase.ts";
import { createProgram } from "./program.ts";

/**
 * Runs one command line and answers its exit code. An expected failure, and one of the machine, is
 * one line without a stack; anything else is a defect of ours, is told with its stack, and ends
 * with `exitCodes.internal`.
 */
export async function run(
  argv: readonly string[],
  output: OutputConfiguration = {},
): Promise<number> {
  try {
    return await underConfiguration(argv, () => runProgram(createProgram(output), argv));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    guardedOutput(output).writeErr?.(`sluice: ${error.message}\n`);
    return error.exitCode;
  }
}

/** Does what `run` does, with a command line of the caller's. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  const writeError = program.configureOutput().writeErr ?? (() => undefined);
  let restoreSecrets = (): void => undefined;
  program.hook("preAction", (_program, command) => {
    const { passphraseEnv } = command.opts<PassphraseFlags>();
    restoreSecrets = withholdSecrets(passphraseEnv === undefined ? [] : [passphraseEnv]);
  });
  try {
    await program.parseAsync(joinPairedArguments(argv), { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError)
      // commander has written its own message
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const expected = environmentError(error);
    if (expected instanceof CommandError) {
      writeError(`sluice: ${expected.message}\n`);
      return expected.exitCode;
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    writeError(`sluice: internal error, please report it with this text:\n${stack}\n`);
    return exitCodes.internal;
  } finally {
    restoreSecrets();
  }
}
