import { deviceLimits } from "../../../src/trust/limits.ts";
import { p256TrustCrypto } from "../../../src/trust/p256-crypto.ts";
import { acceptTrustedRoot } from "../../../src/trust/workflow.ts";
import { nodeCrypto } from "../../release/node-crypto.ts";
import { CommandError } from "../command/exit.ts";
import { readInput } from "../command/files.ts";

/** The root that a device begins with; what it could not go by is refused here. */
export function readTrustRoot(file: string): Uint8Array {
  const bytes = readInput(file, "--trust-root");
  const { rootBytesMax } = deviceLimits;
  if (bytes.length > rootBytesMax)
    throw new CommandError(
      `--trust-root ${file}: has ${bytes.length} bytes, a device takes ${rootBytesMax}`,
    );
  const rules = { limits: deviceLimits, crypto: p256TrustCrypto(nodeCrypto), memory: null };
  const root = acceptTrustedRoot(bytes, rules);
  if (!root.ok)
    throw new CommandError(
      `--trust-root ${file}: a device would not trust it: ${root.reason}: ${root.detail}; give 1.root.json of "sluice trust"`,
    );
  if (root.value.director === null)
    throw new CommandError(
      `--trust-root ${file}: names no director, so that a device would install nothing`,
    );
  return bytes;
}
