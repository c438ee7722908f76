import type { TrustedImageKey } from "../../src/image/keys.ts";
import { type KeyRefusal, trustedKeyFromPem } from "../release/pem-keys.ts";
import { CommandError } from "./exit.ts";
import { readText } from "./files.ts";

/**
 * The keys of `--key` options to verify with: public or private PEM files, all of one algorithm.
 */
export function readTrustedKeys(paths: readonly string[]): TrustedImageKey[] {
  const keys = paths.map((path) => {
    const found = trustedKeyFromPem(readText(path, "the key"));
    if (!found.ok) throw unusableKey(path, found.reason);
    return found.key;
  });
  if (new Set(keys.map((key) => key.algorithm)).size > 1)
    throw new CommandError("the keys are of two algorithms; a bootloader knows only one of them");
  return keys;
}

export function unusableKey(path: string, reason: KeyRefusal): CommandError {
  const explanations: Readonly<Record<KeyRefusal, string>> = {
    "not-a-key": 'it is no PEM of such a key; make one with "sluice keys create --out FILE"',
    encrypted: 'it is encrypted; give its public half, which "sluice keys public" writes',
    "not-p256": "it is no ECDSA P-256 key, the only kind that the bootloader verifies",
  };
  return new CommandError(`cannot use the key ${path}: ${explanations[reason]}`);
}
