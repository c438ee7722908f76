import type { Command } from "commander";
import type { KeyringEntry } from "../../release/keys/keyring.ts";
import { print, printJson } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";

/** `sluice keys list` */
export function registerKeysList(group: Command): void {
  const command = group
    .command("list")
    .description("List the keys of the keyring")
    .option("--json", "with their public halves");
  addKeyringOptions(command).action((flags: KeyringFlags & { json?: true }, self: Command) => {
    const { entries } = openKeyring(flags);
    if (flags.json === true) printJson(self, { keys: entries });
    else print(self, tableOf(entries));
  });
}

function tableOf(entries: readonly KeyringEntry[]): string {
  return formatTable<KeyringEntry>(
    [
      { title: "name", text: ({ name }) => name },
      { title: "role", text: ({ role }) => role },
      { title: "state", text: stateOf },
      { title: "key id", text: ({ keyId }) => keyId.slice(0, 16) },
      { title: "private half", text: ({ signer }) => signer ?? "elsewhere" },
      { title: "since", text: ({ createdAt }) => createdAt.slice(0, 10) },
    ],
    entries,
  );
}

function stateOf({ state, replacedBy, reason }: KeyringEntry): string {
  if (state === "revoked") return `revoked: ${reason}`;
  return replacedBy === null ? state : `${state}, now ${replacedBy}`;
}
