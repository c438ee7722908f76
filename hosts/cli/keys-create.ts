import type { Command } from "commander";
import { createKeyPair } from "../release/pem-keys.ts";
import { commandGroup } from "./command-group.ts";
import { writeNew, writeResult } from "./files.ts";
import { note, print } from "./output.ts";

/** `sluice keys create` */
export function registerKeysCreate(program: Command): void {
  commandGroup(program, "keys", "Make and show the keys that sign firmware")
    .command("create")
    .description("Make a P-256 key pair; the private key never overwrites a file")
    .requiredOption("--out <file>", "the private key: PKCS#8 PEM, readable by you alone")
    .option("--public <file>", "also write the public key, SubjectPublicKeyInfo PEM")
    .action((options: { out: string; public?: string }, command: Command) => {
      const pair = createKeyPair();
      writeNew(options.out, pair.privatePem, 0o600);
      if (options.public !== undefined) writeResult(options.public, pair.publicPem);
      note(command, `private key in ${options.out}; keep it off the machines that serve devices`);
      if (options.public === undefined) print(command, pair.publicPem.trimEnd());
    });
}
