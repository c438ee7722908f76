import { join } from "node:path";
import type { Command } from "commander";
import type { TlsCredentials } from "../../../src/tls/credentials.ts";
import { enrolledStorage } from "../../esp32/flash-image.ts";
import {
  type FlashMiB,
  flashMiBs,
  type PartitionTable,
  partitionTable,
} from "../../flash/partitions.ts";
import { type Enrolment, EnrolmentError } from "../../simulator/enrolment.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { changeFile, writeResult } from "../command/files.ts";
import { note } from "../command/output.ts";
import { configuration, configured } from "../options/configuration.ts";
import * as parse from "../options/options.ts";
import { readTrustedKeys } from "../options/signing-keys.ts";
import { readTlsFiles, type TlsFlags } from "../options/tls-files.ts";
import { readTrustRoot } from "../options/trust-root.ts";

interface EnrollFlags extends TlsFlags {
  readonly server: string;
  readonly tenant: string;
  readonly deviceToken: string;
  readonly hardware: string;
  readonly imageKey: readonly string[];
  readonly trustRoot?: string;
  readonly flash: FlashMiB;
  readonly file?: string;
  readonly out?: string;
}

type GivenFlags = Omit<EnrollFlags, "server"> & { readonly server?: string };

/** `sluice device enroll` */
export function registerDeviceEnroll(group: Command): void {
  group
    .command("enroll")
    .description("Write who a device is, whom it asks and whose images it takes into its storage")
    .argument("<id>", "the device's id", parse.deviceId)
    .option(
      "--server <url>",
      "http(s)://host:port, without a path; needed without --config",
      configured(null, ({ fleet }) => fleet),
    )
    .option("--tenant <name>", "of the fleet", "DEFAULT")
    .requiredOption("--device-token <token>", "what sluice device add told")
    .requiredOption("--hardware <id>", "what it is, such as esp32c3-a", parse.hardwareId)
    .option(
      "--image-key <pem>",
      "public key of images; may be repeated; needed without --config",
      parse.collect(String),
      [],
    )
    .option(
      "--ca <pem>",
      "who vouches for an https server; may be repeated",
      parse.collect(String),
      [],
    )
    .option("--client-cert <pem>", "what the device shows a server that asks, and its chain")
    .option("--client-key <pem>", "the private key of that certificate")
    .option(
      "--trust-root <json>",
      "the first root of signed metadata; nothing is installed without",
    )
    .option("--flash <MiB>", "size of its flash", parse.numberOf(flashMiBs), 4)
    .option("--file <flash>", "a file of the whole flash, changed in place")
    .option("--out <file>", "a storage partition of its own, to be written to the board")
    .action(enroll);
}

async function enroll(id: string, given: GivenFlags, command: Command): Promise<void> {
  const flags = withConfiguration(given);
  const { file, out, server } = flags;
  if ((file === undefined) === (out === undefined))
    throw new CommandError(
      "give --file of a whole flash, or --out for the partition",
      exitCodes.usage,
    );
  const tls = readTlsFiles(flags);
  checkScheme(server, tls, command);
  const table = partitionTable({ soc: "esp32c3", flashMiB: flags.flash });
  const { offsetBytes: offset, sizeBytes: size } = table.storage;
  const enrolment = {
    serverUrl: server,
    tenant: flags.tenant,
    deviceId: id,
    token: flags.deviceToken,
    hardware: flags.hardware,
    imageKeys: imagePoints(flags.imageKey),
    ...(tls === null ? {} : { tls }),
    ...(flags.trustRoot === undefined ? {} : { trustRoot: readTrustRoot(flags.trustRoot) }),
  };
  if (file !== undefined) {
    await changeFile(file, "the flash file", "sluice device enroll", (whole) => {
      if (whole.length !== flags.flash * 1024 * 1024)
        throw new CommandError(`${file} has ${whole.length} bytes, not ${flags.flash} MiB`);
      whole.set(storageWith(table, whole.slice(offset, offset + size), enrolment), offset);
      return whole;
    });
    note(command, `${file}: ${id} is enrolled at ${server}`);
  } else if (out !== undefined) {
    writeResult(out, storageWith(table, null, enrolment), 0o600); // it holds the device's token
    const at = `0x${offset.toString(16)}`;
    note(command, `${out}: write it with "sluice board flash ${out} --offset ${at} --port PORT"`);
  }
}

/** What the command line leaves out is that of the configuration. */
function withConfiguration(given: GivenFlags): EnrollFlags {
  const found = configuration();
  const { server, trustRoot } = given;
  const imageKey = given.imageKey.length > 0 ? given.imageKey : (found?.imageKeys ?? []);
  if (server === undefined || imageKey.length === 0)
    throw new CommandError(
      `give ${server === undefined ? "--server URL" : "--image-key PEM"}, or --config DIR`,
      exitCodes.usage,
    );
  const root = found === null ? trustRoot : (trustRoot ?? rootIn(found.trust));
  return { ...given, server, imageKey, ...(root === undefined ? {} : { trustRoot: root }) };
}

function rootIn(repository: string): string {
  return join(repository, "metadata", "1.root.json");
}

function storageWith(
  table: PartitionTable,
  before: Uint8Array | null,
  enrolment: Enrolment,
): Uint8Array {
  try {
    return enrolledStorage(table, before, enrolment);
  } catch (error) {
    if (!(error instanceof EnrolmentError)) throw error;
    throw new CommandError(`nothing is enrolled: ${error.message}`, exitCodes.usage);
  }
}

/** What the firmware would refuse to ask is told before it is on a board. */
function checkScheme(server: string, tls: TlsCredentials | null, command: Command): void {
  if (server.startsWith("https:") && tls === null)
    throw new CommandError(
      `--server ${server}: give --ca with the authority of its certificate; a device trusts no other`,
      exitCodes.usage,
    );
  if (server.startsWith("http:") && !/^http:\/\/127\./.test(server))
    note(
      command,
      `note: firmware asks ${server} only if it was built with plainHttp; see docs/https.md`,
    );
}

function imagePoints(files: readonly string[]): Uint8Array[] {
  return readTrustedKeys("--image-key", files).map((key) => {
    if (key.algorithm === "ecdsa-p256") return key.publicKey;
    throw new CommandError("a board takes images of P-256 keys only");
  });
}
