import type { Command } from "commander";
import { publicPemFromPem } from "../release/pem-keys.ts";
import { commandGroup } from "./command-group.ts";
import { readText, writeResult } from "./files.ts";
import { print } from "./output.ts";
import { unusableKey } from "./signing-keys.ts";

/** `sluice keys public` */
export function registerKeysPublic(program: Command): void {
  commandGroup(program, "keys", "Make, keep and replace the keys that sign")
    .command("public")
    .description("Show the public half of a key as PEM: what the bootloader is built with")
    .argument("<file>", "a private or public PEM")
    .option("--out <file>", "write it to a file instead of stdout")
    .action((file: string, options: { out?: string }, command: Command) => {
      const found = publicPemFromPem(readText(file, "the key"));
      if (!found.ok) throw unusableKey(file, found.reason);
      if (options.out === undefined) print(command, found.publicPem.trimEnd());
      else writeResult(options.out, found.publicPem);
    });
}
