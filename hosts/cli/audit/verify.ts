import type { Command } from "commander";
import type { AuditEntry } from "../../release/keys/audit-entry.ts";
import { type AuditLogVerdict, verifyAuditFiles } from "../../release/keys/audit-segments.ts";
import { tufKeyId } from "../../release/keys/signer.ts";
import { environmentError } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note, print, printJson } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import * as parse from "../options/options.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";
import { readPublicPoint } from "../options/signing-keys.ts";

interface AuditFlags extends KeyringFlags {
  readonly log?: string;
  readonly key: readonly string[];
  readonly head?: string;
  readonly json?: true;
}

/** `sluice audit verify` */
export function registerAuditVerify(group: Command): void {
  const command = group
    .command("verify")
    .description("Check that no entry was changed, removed or forged; ends with 0 or 1")
    .option("--head <hash>", "an entry that must be there: what an earlier check printed");
  addLogOptions(command).action((flags: AuditFlags, self: Command) => {
    const { path, known } = readFlags(flags);
    let hasHead = flags.head === undefined;
    const verdict = verify(path, known, (_, hash) => {
      if (hash === flags.head) hasHead = true;
    });
    if (flags.json === true) printJson(self, { path, ...summary(verdict) });
    refuseInvalid(verdict);
    if (!hasHead)
      throw new CommandError(
        `${path}: no entry has the hash ${flags.head}: the end was cut off, or it is another log`,
        exitCodes.negative,
      );
    if (flags.json === true) return;
    note(self, `${path}: ${verdict.entries} entries, each signed and in its place`);
    print(self, verdict.headHash);
  });
}

/** `sluice audit show` */
export function registerAuditShow(group: Command): void {
  const command = group.command("show").description("List every use of a key, verified");
  addLogOptions(command).action((flags: AuditFlags, self: Command) => {
    const { path, known, names } = readFlags(flags);
    const shown: AuditEntry[] = [];
    let usesCount = 0;
    const verdict = verify(path, known, (entry) => {
      shown.push(entry);
      usesCount += entry.uses.length;
      while (usesCount > usesShownMax && shown.length > 1) usesCount -= shown.shift()!.uses.length;
    });
    refuseInvalid(verdict);
    if (shown.length < verdict.entries)
      note(self, `${path}: the newest ${shown.length} of ${verdict.entries} entries`);
    if (flags.json === true) return printJson(self, { path, entries: shown });
    const uses = shown.flatMap((entry) => entry.uses.map((use) => ({ ...entry, use })));
    const columns = [
      { title: "at", text: ({ at }: (typeof uses)[number]) => at },
      {
        title: "key",
        text: ({ keyId }: (typeof uses)[number]) => names.get(keyId) ?? keyId.slice(0, 16),
      },
      { title: "signed", text: ({ use }: (typeof uses)[number]) => use.purpose },
      { title: "digest", text: ({ use }: (typeof uses)[number]) => use.digest.slice(0, 16) },
    ];
    print(self, formatTable(columns, uses));
  });
}

function addLogOptions(command: Command): Command {
  const text = (value: string): string => value;
  return addKeyringOptions(
    command
      .option("--log <file>", "the log; that of the keyring if not given")
      .option(
        "--key <pem>",
        "public key whose entries count; without any, those of the keyring; may be repeated",
        parse.collect(text),
        [],
      )
      .option("--json", "as JSON"),
  );
}

/** Uses that are listed; of a longer log the newest. */
const usesShownMax = 20_000;

function verify(
  path: string,
  known: ReadonlySet<string>,
  onEntry: (entry: AuditEntry, hash: string) => void,
): AuditLogVerdict {
  try {
    return verifyAuditFiles(path, known, onEntry);
  } catch (error) {
    throw environmentError(error, `cannot read the audit log ${path}`);
  }
}

function refuseInvalid(
  verdict: AuditLogVerdict,
): asserts verdict is AuditLogVerdict & { ok: true } {
  if (verdict.ok) return;
  const where = verdict.line === 0 ? verdict.path : `${verdict.path}: line ${verdict.line}:`;
  throw new CommandError(`${where} ${meanings[verdict.reason]}`, exitCodes.negative);
}

function readFlags(flags: AuditFlags): {
  readonly path: string;
  readonly known: ReadonlySet<string>;
  readonly names: ReadonlyMap<string, string>;
} {
  const keyring = openKeyring(flags);
  const path = flags.log ?? keyring.auditLogPath;
  const names = new Map(keyring.entries.map(({ keyId, name }) => [keyId, name]));
  const given = flags.key.map((file) => {
    return tufKeyId(readPublicPoint("--key", file));
  });
  const known = given.length === 0 ? new Set(names.keys()) : new Set(given);
  return { path, known, names };
}

function summary(verdict: AuditLogVerdict): object {
  if (!verdict.ok)
    return { valid: false, file: verdict.path, line: verdict.line, reason: verdict.reason };
  return { valid: true, entries: verdict.entries, head: verdict.headHash };
}

const meanings: Readonly<Record<(AuditLogVerdict & { ok: false })["reason"], string>> = {
  "segment-missing": "is missing: later parts of the log are there",
  malformed: "is no entry of an audit log",
  incomplete: "is cut off; the next use of a key replaces it",
  "chain-broken": "does not follow the line before it: an entry was changed, removed or inserted",
  "signature-invalid": "is not signed by the key that it names: it was changed or forged",
  "key-unknown": "is by a key that is neither in the keyring nor given with --key",
};
