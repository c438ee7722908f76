import type { Command } from "commander";
import type { ConfigurationDocument } from "../../../src/config/configuration-document.ts";
import { openConfiguration } from "../../release/configuration.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { print, printJson } from "../command/output.ts";
import { collect } from "../options/options.ts";
import { readTrustedKeys } from "../options/signing-keys.ts";

interface InfoFlags {
  readonly key: string[];
  readonly json?: true;
}

/** `sluice config info`: exit code 1 says that none of the given keys signed it. */
export function registerConfigInfo(group: Command): void {
  group
    .command("info")
    .description("Tell what a signed configuration says, and verify it when a key is given")
    .argument("<file>", "the signed document")
    .option("--key <pem>", "a key that may have signed it; may be repeated", collect(String), [])
    .option("--json", "tell it as JSON")
    .action(info);
}

function info(file: string, flags: InfoFlags, command: Command): void {
  const keys = readTrustedKeys("--key", flags.key).map(({ publicKey }) => publicKey);
  const opened = openConfiguration(readInput(file, "the configuration"), keys);
  if (!opened.ok)
    throw new CommandError(
      `${file}: ${opened.message}`,
      opened.reason === "signature-invalid" ? exitCodes.negative : exitCodes.input,
    );
  const { document, verified } = opened;
  if (flags.json === true) printJson(command, { ...describe(document), verified });
  else print(command, render(document, verified));
}

function describe({ version, schema, values, flags }: ConfigurationDocument) {
  return { version, schema, values, flags: Object.fromEntries(flags) };
}

function render(document: ConfigurationDocument, verified: boolean): string {
  const { version, schema, values, flags } = document;
  const lines = [
    `version    ${version}`,
    `schema     ${schema}`,
    `signature  ${verified ? "by one of the keys" : "not verified: give --key"}`,
  ];
  for (const [name, value] of Object.entries(values))
    lines.push(`value      ${name} = ${JSON.stringify(value)}`);
  for (const [name, flag] of flags)
    lines.push(
      `flag       ${name} = ${typeof flag === "boolean" ? (flag ? "on" : "off") : `${flag.hundredths / 100} percent, salt ${flag.salt}`}`,
    );
  return lines.join("\n");
}
