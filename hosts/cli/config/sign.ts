import type { Command } from "commander";
import { schemaMax } from "../../../src/config/configuration-document.ts";
import {
  makeConfiguration,
  openConfiguration,
  sealConfiguration,
} from "../../release/configuration.ts";
import { posixRuleOf } from "../../time-zones/posix-rule.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readJson, writeResult } from "../command/files.ts";
import { formatBytes, note, printJson } from "../command/output.ts";
import { wholeNumber } from "../options/options.ts";
import {
  addSignerOptions,
  openImageSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "../options/signer-options.ts";

interface ConfigSignFlags extends SignerFlags {
  readonly out: string;
  readonly version?: number;
  readonly schema?: number;
  readonly windows?: string;
  readonly timeZone?: string;
  readonly timeZoneFrom?: string;
  readonly json?: true;
}

/** `sluice config sign` */
export function registerConfigSign(group: Command): void {
  const command = group
    .command("sign")
    .description("Sign a configuration document, JSON with version, schema, values and flags")
    .argument("<file>", "the document")
    .requiredOption("--out <file>", "the signed document")
    .option(
      "--version <n>",
      "instead of the one in the document; higher than any before",
      wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    )
    .option(
      "--schema <n>",
      "instead of the one in the document",
      wholeNumber({ min: 0, max: schemaMax }),
    )
    .option("--windows <file>", "maintenance windows, JSON: see docs/windows.md")
    .option("--time-zone <rule>", 'of the windows, such as "CET-1CEST,M3.5.0,M10.5.0/3"')
    .option("--time-zone-from <name>", "instead: derive the rule of an IANA zone (Europe/Berlin)")
    .option("--json", "tell the result as JSON");
  addSignerOptions(command).action(sign);
}

async function sign(file: string, flags: ConfigSignFlags, command: Command): Promise<void> {
  const { version, schema } = flags;
  const timeZone = ruleFor(flags);
  const made = makeConfiguration(readJson(file, "the document"), {
    ...(version === undefined ? {} : { version }),
    ...(schema === undefined ? {} : { schema }),
    ...(flags.windows === undefined ? {} : { windows: readJson(flags.windows, "the windows") }),
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  if (!made.ok) throw new CommandError(`cannot sign ${file}: ${made.message}`);
  const [signer] = signersFor(await openImageSigners(flags), `configuration ${file}`);
  if (signer === undefined || flags.key.length + flags.signer.length > 1)
    throw new CommandError(
      "give the one key to sign with: --key PEM or --signer ADDRESS",
      exitCodes.usage,
    );
  const sealed = await reportingSigners(() => sealConfiguration(made.document, signer));
  if (!sealed.ok) throw new CommandError(`cannot sign ${file}: ${sealed.message}`);
  const opened = openConfiguration(sealed.envelope, [signer.publicKey]);
  if (!opened.ok) throw new Error(`what was signed cannot be opened: ${opened.message}`);
  writeResult(flags.out, sealed.envelope);
  const { version: signed, schema: form } = opened.document;
  const bytes = sealed.envelope.length;
  if (flags.json === true)
    printJson(command, { file: flags.out, version: signed, schema: form, bytes });
  else
    note(command, `${flags.out}: configuration ${signed}, schema ${form}, ${formatBytes(bytes)}`);
}

/** A device has no time zone database: what it is told are rules. */
function ruleFor({ timeZone, timeZoneFrom: name }: ConfigSignFlags): string | undefined {
  if (name === undefined) return timeZone;
  if (timeZone !== undefined)
    throw new CommandError(
      "give either --time-zone RULE or --time-zone-from NAME, not both",
      exitCodes.usage,
    );
  const derived = posixRuleOf(name, Date.now());
  if (!derived.ok) throw new CommandError(`${derived.reason}: ${derived.message}`);
  return derived.rule;
}
