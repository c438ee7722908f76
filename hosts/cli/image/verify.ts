import type { Command } from "commander";
import { bytesSource } from "../../../src/image/source.ts";
import { verifyImage } from "../../../src/image/verify.ts";
import { nodeCrypto, nodeVerifyEd25519 } from "../../release/node-crypto.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { formatBytes, print, printJson } from "../command/output.ts";
import { collect, wholeNumber } from "../options/options.ts";
import { readTrustedKeys } from "../options/signing-keys.ts";
import { refusalMeanings } from "./refusals.ts";

const sizeMax = 16 * 1024 * 1024;

/** `sluice image verify` */
export function registerImageVerify(group: Command): void {
  group
    .command("verify")
    .description("Decide as the bootloader does whether an image is valid")
    .argument("<file>", "an image, or a dump of a whole slot")
    .option("-k, --key <pem>", "a key that is trusted; may be repeated", collect(String), [])
    .option("--max-size <bytes>", "largest image", wholeNumber({ min: 1, max: sizeMax }), sizeMax)
    .option("--json", "tell the result as JSON")
    .action(
      (
        file: string,
        options: { key: string[]; maxSize: number; json?: true },
        command: Command,
      ) => {
        if (options.key.length === 0)
          throw new CommandError("give the key to verify with: --key PEM", exitCodes.usage);
        const bytes = readInput(file, "the image");
        const verdict = verifyImage(bytesSource(bytes), {
          keys: readTrustedKeys("--key", options.key),
          crypto: nodeCrypto,
          verifyEd25519: nodeVerifyEd25519,
          imageBytesMax: options.maxSize,
        });
        if (verdict.ok) {
          const { version, imageHash, totalBytes, hardware, securityCounter } = verdict.info;
          if (options.json === true)
            printJson(command, {
              valid: true,
              version,
              hardware,
              securityCounter,
              imageHash,
              bytes: totalBytes,
            });
          else print(command, `valid: version ${version}, image hash ${imageHash}`);
          return;
        }
        const { reason } = verdict;
        const meaning = refusalMeanings[reason];
        if (options.json === true) printJson(command, { valid: false, reason, meaning });
        const limit =
          reason === "image-too-large" ? ` (--max-size ${formatBytes(options.maxSize)})` : "";
        throw new CommandError(
          `${file} is not valid: ${reason}: ${meaning}${limit}`,
          exitCodes.negative,
        );
      },
    );
}
