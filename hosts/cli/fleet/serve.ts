import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { type FleetTls, isReadByDevices } from "../../fleet/access/tls-options.ts";
import { isEncryptedPem } from "../../release/keys/encrypted-key.ts";
import { environmentError, explain } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readText } from "../command/files.ts";
import { watchInterruption } from "../command/interruption.ts";
import { note, print } from "../command/output.ts";
import { secretVariable } from "../command/secrets.ts";
import { configuration, configured, configuredToken } from "../options/configuration.ts";
import { collect, hardwareId } from "../options/options.ts";
import { addKeyringOptions, type KeyringFlags, openSignersAt } from "../options/signer-options.ts";
import { readPublicKey, refuseWithoutPrivateKey } from "../options/signing-keys.ts";
import { imageBytesMaxOf } from "../options/slot-option.ts";

interface GivenFlags extends Omit<ServeFlags, "data"> {
  readonly data?: string;
}

interface ServeFlags extends KeyringFlags {
  readonly data: string;
  readonly withoutTrust?: true;
  readonly port: string;
  readonly host: string;
  readonly gatewayToken?: string;
  readonly adminToken?: string;
  readonly imageKey?: readonly string[];
  readonly configurationKey?: readonly string[];
  readonly slot: Readonly<Record<string, number>>;
  readonly onlineKey: readonly string[];
  readonly onlineKeyPublic: readonly string[];
  readonly pollSeconds: string;
  readonly externalUrl?: string;
  readonly publicUrl: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly deviceCertificates?: true;
  readonly gatewayName: readonly string[];
  readonly tenant: string;
  readonly logLevel: string;
}

const logLevels = ["silent", "error", "warn", "info", "debug"] as const;

/** `sluice fleet serve` */
export function registerFleetServe(group: Command): void {
  const command = group
    .command("serve")
    .description("Serve a fleet until it is interrupted")
    .option(
      "--data <dir>",
      "where the database and the images are kept; needed without --config",
      configured(null, ({ data }) => data),
    )
    .option(
      "--port <number>",
      "0 takes a free one",
      configured(null, ({ port }) => String(port)) ?? "8080",
    )
    .option(
      "--host <address>",
      "the address to listen on",
      configured(null, ({ host }) => host) ?? "127.0.0.1",
    )
    .option("--gateway-token <token>", "lets a gateway register devices; else SLUICE_GATEWAY_TOKEN")
    .option("--admin-token <token>", "asked for by the management API; else SLUICE_TOKEN")
    .option("--image-key <pem...>", "public keys of which one must have signed every image")
    .option(
      "--configuration-key <pem...>",
      "public keys of which one must have signed every configuration; else those of the images",
    )
    .option(
      "--slot <hardware=layout>",
      "flash layout of a hardware, by name, JSON file or slot size; larger images are refused; may be repeated",
      addSlot,
      {},
    )
    .option(
      "--online-key <address>",
      "signs snapshot, timestamp and director documents; twice while it is replaced",
      collect(String),
      [],
    )
    .option(
      "--online-key-public <pem>",
      "public key of an exec: one; repeated in their order",
      collect(String),
      [],
    )
    .option(
      "--poll-seconds <number>",
      "how often devices poll",
      configured(null, ({ pollSeconds }) => String(pollSeconds)) ?? "300",
    )
    .option("--without-trust", "devices go by the signatures of images alone, and nobody is warned")
    .option("--external-url <url>", "what devices reach the server at, behind a proxy")
    .option(
      "--public-url <url>",
      "what people reach the page at, besides loopback and --host; may be repeated",
      collect(String),
      [],
    )
    .option(
      "--tls-cert <pem>",
      "serve https with this certificate, and those between it and the CA",
    )
    .option("--tls-key <pem>", "the private key of the certificate")
    .option(
      "--client-ca <pem>",
      "devices must show a certificate that this one issued, with their id as its common name",
    )
    .option("--device-certificates", "that certificate is enough: devices need no token beside it")
    .option(
      "--gateway-name <name>",
      "common name of a gateway's certificate, which may speak for any device; may be repeated",
      collect(String),
      [],
    )
    .option("--tenant <name>", "the tenant in the paths of devices", "DEFAULT")
    .option("--log-level <level>", `one of ${logLevels.join(", ")}`, "warn");
  addKeyringOptions(command).action(serve);
}

async function serve(given: GivenFlags, command: Command): Promise<void> {
  const flags = withConfiguration(given);
  const logLevel = logLevels.find((level) => level === flags.logLevel);
  if (logLevel === undefined)
    throw new CommandError(
      `--log-level ${flags.logLevel}: give one of ${logLevels.join(", ")}`,
      exitCodes.usage,
    );
  const port = wholeNumber("--port", flags.port, 0, 65_535);
  const pollSeconds = wholeNumber("--poll-seconds", flags.pollSeconds, 1, 86_399);
  const gatewayToken = flags.gatewayToken ?? secretVariable("SLUICE_GATEWAY_TOKEN");
  const adminToken = flags.adminToken ?? configuredToken();
  const tls = readTls(flags);
  if (flags.host.trim() === "")
    throw new CommandError(
      "--host is empty: give 127.0.0.1 for this machine alone, or 0.0.0.0 for everybody",
      exitCodes.usage,
    );
  makeFolder(flags.data);
  const [onlineSigner = null, ...moreOnlineSigners] = await openSignersAt(
    flags.onlineKey,
    flags,
    flags.onlineKeyPublic,
  );
  const { serveFleet } = await import("../../fleet/main.ts");
  // From before anybody is told of the server: whoever reads its address may end it at once.
  const interruption = watchInterruption();
  void interruption.insisted.then(() => process.exit(1));
  const running = await serveFleet({
    databaseFile: join(flags.data, "fleet.sqlite"),
    artifactsFolder: join(flags.data, "artifacts"),
    host: plainHost(flags.host),
    port,
    pollSeconds,
    tenant: flags.tenant,
    logLevel,
    imageKeys: (flags.imageKey ?? []).map((file) => readPublicKey("--image-key", file).pem),
    ...configurationKeysOf(flags),
    imageBytesMax: flags.slot,
    trust: { folder: join(flags.data, "trust"), onlineSigner, moreOnlineSigners },
    ...(gatewayToken === undefined ? {} : { gatewayToken }),
    ...(adminToken === undefined ? {} : { adminToken }),
    publicUrls: flags.publicUrl,
    ...(flags.externalUrl === undefined ? {} : { externalUrl: flags.externalUrl }),
    ...(tls === null ? {} : { tls }),
  }).catch((error: unknown) => {
    interruption.release();
    throw startFailure(error, flags);
  });
  print(command, reachable(running.url));
  for (const warning of warnings(flags, adminToken, tls)) note(command, warning);
  await interruption.asked;
  note(
    command,
    "stopping within 10 s; everything acknowledged is on the disk; again to stop at once",
  );
  await running.close();
  // Nothing that still holds the process, as a device's connection cannot, shall keep it.
  setTimeout(() => process.exit(), 500).unref();
}

/** What the command line leaves out is that of the configuration. */
function withConfiguration(given: GivenFlags): ServeFlags {
  const { data, withoutTrust } = given;
  if (data === undefined)
    throw new CommandError(
      'give --config DIR, which "sluice init DIR" makes, or --data DIR',
      exitCodes.usage,
    );
  const found = configuration();
  if (found === null) return { ...given, data };
  const isUntrusted = withoutTrust === true || given.onlineKey.length > 0;
  return {
    ...given,
    data,
    imageKey: given.imageKey ?? found.imageKeys,
    onlineKey: isUntrusted ? given.onlineKey : [found.onlineKey],
  };
}

/** An IPv6 address may be given as it stands in a URL. */
function plainHost(host: string): string {
  return /^\[(.*)\]$/.exec(host)?.[1] ?? host;
}

/** Nobody can go to the address that means all of this machine's. */
function reachable(url: string): string {
  return url.replace("//[::]:", "//[::1]:").replace("//0.0.0.0:", "//127.0.0.1:");
}

function* warnings(
  flags: ServeFlags,
  adminToken: string | undefined,
  tls: FleetTls | null,
): Generator<string> {
  const isLoopback =
    ["localhost", "::1"].includes(plainHost(flags.host)) || /^127(\.\d+){3}$/.test(flags.host);
  if (adminToken === undefined && !isLoopback)
    yield `warning: anybody who reaches ${flags.host} can manage this fleet; give --admin-token`;
  if (tls !== null && !isReadByDevices(tls))
    yield "warning: the certificate is none of a P-256 key: devices on the Moddable SDK cannot read it";
  if (flags.onlineKey.length === 0 && flags.withoutTrust !== true)
    yield 'warning: no signed metadata: whoever takes this server chooses what devices install; "sluice init DIR" makes a server with it, --without-trust goes without';
  if (flags.imageKey === undefined) yield "note: no --image-key, so no image can be published";
}

/** `esp32c3-b=esp32-4m`: what the slots of that hardware take. */
function addSlot(
  text: string,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const at = text.indexOf("=");
  const [hardware, layout] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || layout === "")
    throw new CommandError(
      `--slot ${text}: give HARDWARE=LAYOUT such as esp32c3-b=esp32-4m`,
      exitCodes.usage,
    );
  return { ...before, [hardwareId(hardware)]: imageBytesMaxOf(layout) };
}

/** Null without TLS; a certificate and its key go together. */
function readTls(flags: ServeFlags): FleetTls | null {
  const { tlsCert, tlsKey, clientCa, deviceCertificates = false, gatewayName } = flags;
  if (clientCa === undefined && (deviceCertificates || gatewayName.length > 0))
    throw new CommandError(
      "--device-certificates and --gateway-name need the authority of the certificates: give --client-ca",
      exitCodes.usage,
    );
  if (tlsCert === undefined && tlsKey === undefined && clientCa === undefined) return null;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CommandError("for https give --tls-cert and --tls-key", exitCodes.usage);
  return {
    certificate: readPem("--tls-cert", tlsCert),
    key: readPrivatePem("--tls-key", tlsKey),
    ...(clientCa === undefined ? {} : { clientAuthorities: readPem("--client-ca", clientCa) }),
    certificateIsEnough: deviceCertificates,
    gatewayNames: gatewayName,
  };
}

function configurationKeysOf({ configurationKey: files }: ServeFlags): {
  configurationKeys?: readonly string[];
} {
  if (files === undefined) return {};
  return { configurationKeys: files.map((file) => readPublicKey("--configuration-key", file).pem) };
}

function readPem(flag: string, file: string): string {
  return readText(file, flag);
}

function readPrivatePem(flag: string, file: string): string {
  const pem = readPem(flag, file);
  refuseWithoutPrivateKey(flag, file, pem);
  if (!isEncryptedPem(pem)) return pem;
  throw new CommandError(
    `${flag} ${file} is encrypted, and nobody is there to open it when the server starts: give one without a passphrase that its owner alone may read`,
    exitCodes.usage,
  );
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    closeToOthers(folder);
  } catch (error) {
    throw new CommandError(`--data ${folder}: ${explain(error)}`);
  }
}

/** A folder of ours from before is the owner's alone too; one that everybody uses stays so. */
function closeToOthers(folder: string): void {
  const { mode } = statSync(folder);
  const isShared = (mode & 0o1002) !== 0; // sticky, or writable by everybody
  if ((mode & 0o077) === 0 || isShared || !existsSync(join(folder, "fleet.sqlite"))) return;
  chmodSync(folder, mode & 0o700);
}

function startFailure(error: unknown, flags: ServeFlags): unknown {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === "FleetOptionError") return new CommandError(message, exitCodes.usage);
  if (name === "FileHeldError") return new CommandError(message, exitCodes.server);
  if (name === "DatabaseRefusedError") return new CommandError(message, exitCodes.input);
  const { syscall = "" } = error as NodeJS.ErrnoException;
  const isNetwork = ["getaddrinfo", "listen", "bind"].includes(syscall);
  if (code !== "ERR_SQLITE_ERROR" && !isNetwork) return environmentError(error);
  const doing = isNetwork
    ? `cannot listen on ${flags.host}:${flags.port}`
    : `cannot use the database in ${flags.data}`;
  return environmentError(error, doing);
}

/** A whole number of a flag, or a `CommandError` that says which ones it takes. */
function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d{1,12}$/.test(text) && value >= min && value <= max) return value;
  throw new CommandError(
    `${flag} ${text}: give a whole number from ${min} to ${max}`,
    exitCodes.usage,
  );
}
