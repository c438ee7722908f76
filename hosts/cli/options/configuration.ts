import { AsyncLocalStorage } from "node:async_hooks";
import { join, resolve } from "node:path";
import { isJsonObject, type JsonObject } from "../../../src/protocol/json.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { isFolder, readJson, readText } from "../command/files.ts";
import { secretVariable } from "../command/secrets.ts";

/** The file of a configuration, in the folder that `--config` or SLUICE_CONFIG names. */
export const configurationFile = "sluice.json";

/** What `sluice init` wrote down, with the paths made whole. */
export interface Configuration {
  readonly folder: string;
  /** What a command line names goes before the environment, what SLUICE_CONFIG names after it. */
  readonly isNamedByOption: boolean;
  /** The address of the fleet server. */
  readonly fleet: string;
  readonly adminTokenFile: string;
  readonly keyring: string;
  /** The repository of signed metadata. */
  readonly trust: string;
  /** Public keys of images. */
  readonly imageKeys: readonly string[];
  /** Addresses of signers. */
  readonly imageSigner: string;
  readonly targetsSigner: string;
  readonly onlineKey: string;
  /** Where the server keeps its database and artifacts. */
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly pollSeconds: number;
}

const current = new AsyncLocalStorage<Configuration | null>();

/** Runs the work under the configuration that the command line or the environment names. */
export function underConfiguration<T>(argv: readonly string[], work: () => T): T {
  const named = namedBy(argv);
  const folder = named ?? process.env["SLUICE_CONFIG"];
  const isOurs = folder === undefined || folder === "" || argv[0] === "init";
  return current.run(isOurs ? null : readConfiguration(folder, named !== null), work);
}

/** The configuration of this command line, or null. */
export function configuration(): Configuration | null {
  return current.getStore() ?? null;
}

/**
 * The default of an option: what a configuration says that the command line names, else the
 * variable, else what a configuration says that the environment names.
 */
export function configured(
  variable: string | null,
  value: (configuration: Configuration) => string,
): string | undefined {
  const found = configuration();
  const ours = found === null ? undefined : value(found);
  const given = variable === null ? undefined : process.env[variable];
  return found?.isNamedByOption === true ? ours : (given ?? ours);
}

/** The admin token by the same order; its file, which others cannot read, is read when needed. */
export function configuredToken(): string | undefined {
  const found = configuration();
  const given = secretVariable("SLUICE_TOKEN");
  if (found === null || (given !== undefined && !found.isNamedByOption)) return given;
  return readText(found.adminTokenFile, "the admin token").trim();
}

function namedBy(argv: readonly string[]): string | null {
  for (const [index, argument] of argv.entries()) {
    if (argument === "--") return null;
    if (argument === "--config") return argv[index + 1] ?? "";
    if (argument.startsWith("--config=")) return argument.slice("--config=".length);
  }
  return null;
}

/** The members of the file, each with what it must be. */
const members = {
  fleet: "text",
  adminTokenFile: "path",
  keyring: "path",
  trust: "path",
  imageKeys: "paths",
  imageSigner: "text",
  targetsSigner: "text",
  onlineKey: "text",
  data: "path",
  host: "text",
  port: "number",
  pollSeconds: "number",
} as const;

type Member = keyof typeof members;

/** Throws `CommandError` with the file, the member and what it must be. */
export function readConfiguration(folder: string, isNamedByOption: boolean): Configuration {
  const whole = resolve(folder);
  if (!isFolder(whole))
    throw new CommandError(
      `--config ${folder}: there is no such folder; "sluice init ${folder}" makes one`,
      exitCodes.usage,
    );
  const file = join(whole, configurationFile);
  const document = readJson(file, "the configuration");
  if (!isJsonObject(document)) throw wrong(file, "is no JSON object");
  const { format, ...told } = document;
  if (format !== 1)
    throw wrong(file, `has the format ${JSON.stringify(format)}, this version knows 1`);
  const unknown = Object.keys(told).find((name) => !Object.hasOwn(members, name));
  if (unknown !== undefined) throw wrong(file, `has "${unknown}", which nobody knows here`);
  const values = Object.fromEntries(
    Object.keys(members).map((name) => [name, memberOf(file, told, name as Member, whole)]),
  );
  return { folder: whole, isNamedByOption, ...values } as unknown as Configuration;
}

function memberOf(
  file: string,
  told: JsonObject,
  name: Member,
  folder: string,
): string | number | readonly string[] {
  const value = told[name];
  const kind = members[name];
  const whole = (path: unknown): string => {
    if (typeof path !== "string" || path === "")
      throw wrong(file, `has no path in "${name}": give one, from its folder on`);
    return resolve(folder, path);
  };
  switch (kind) {
    case "path":
      return whole(value);
    case "paths":
      if (!Array.isArray(value)) throw wrong(file, `has no list of paths in "${name}"`);
      return value.map(whole);
    case "number":
      if (Number.isSafeInteger(value)) return value as number;
      throw wrong(file, `has no whole number in "${name}"`);
    case "text":
      if (typeof value === "string" && value !== "") return value;
      throw wrong(file, `has no text in "${name}"`);
  }
}

function wrong(file: string, what: string): CommandError {
  return new CommandError(`${file} ${what}; "sluice init" writes one that is right`);
}
