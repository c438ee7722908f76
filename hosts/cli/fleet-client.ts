import type { Command } from "commander";
import { CommandError, exitCodes } from "./exit.ts";

/** The flags of every subcommand that asks a fleet server. */
export interface FleetFlags {
  readonly fleet: string;
  readonly token?: string;
  readonly json?: true;
}

const defaultUrl = "http://127.0.0.1:8080";
const requestMs = 60_000;

/** Adds `--fleet`, `--token` and `--json`; the first two may also come from the environment. */
export function withFleetFlags(command: Command): Command {
  return command
    .option("--fleet <url>", "the fleet server", process.env["SLUICE_FLEET"] ?? defaultUrl)
    .option("--token <token>", "its admin token; else SLUICE_TOKEN")
    .option("--json", "print the server's answer as JSON");
}

/** The management API of one server, for commands: every failure is a `CommandError` that says what to do next. */
export class FleetClient {
  private readonly baseUrl: string;
  private readonly token: string | undefined;

  constructor(flags: FleetFlags) {
    if (!URL.canParse(flags.fleet) || !/^https?:/.test(flags.fleet))
      throw new CommandError(
        `--fleet ${flags.fleet} is no address: give http://HOST:PORT`,
        exitCodes.usage,
      );
    this.baseUrl = flags.fleet.replace(/\/+$/, "");
    this.token = flags.token ?? process.env["SLUICE_TOKEN"];
  }

  get<T>(path: string): Promise<T> {
    return this.call("GET", path, null, null);
  }

  post<T>(path: string, body: object): Promise<T> {
    return this.call("POST", path, JSON.stringify(body), "application/json");
  }

  /** Answers also with one of these refusals, whose body says what to do about it. */
  postFor<T>(path: string, body: object, statuses: readonly number[]): Promise<T> {
    return this.call("POST", path, JSON.stringify(body), "application/json", statuses);
  }

  postBytes<T>(path: string, bytes: Uint8Array): Promise<T> {
    return this.call("POST", path, bytes, "application/octet-stream");
  }

  delete(path: string): Promise<unknown> {
    return this.call("DELETE", path, null, null);
  }

  private async call<T>(
    method: string,
    path: string,
    body: string | Uint8Array | null,
    type: string | null,
    statuses: readonly number[] = [],
  ): Promise<T> {
    const response = await this.send(path, {
      method,
      body: body as NonNullable<RequestInit["body"]> | null,
      signal: AbortSignal.timeout(requestMs),
      headers: {
        ...(type === null ? {} : { "content-type": type }),
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      },
    });
    const text = await response.text();
    if (response.ok || statuses.includes(response.status))
      return text === "" ? (null as T) : readJson(text, this.baseUrl);
    throw new CommandError(refusalText(response.status, text, this.baseUrl), exitCodes.server);
  }

  private async send(path: string, request: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.baseUrl}/api/v1${path}`, request);
    } catch (error) {
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      const why = cause?.code ?? cause?.message ?? (error as Error).message;
      if (/CERT|ISSUER|SIGNATURE/.test(why))
        throw new CommandError(
          `${this.baseUrl} is not trusted (${why}): name the file of its authority in NODE_EXTRA_CA_CERTS`,
          exitCodes.server,
        );
      throw new CommandError(
        `no answer from ${this.baseUrl} (${why}): is \`sluice fleet serve\` running there? --fleet names another server`,
        exitCodes.server,
      );
    }
  }
}

function readJson<T>(text: string, baseUrl: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CommandError(`${baseUrl} answers, but not as a fleet server`, exitCodes.server);
  }
}

function refusalText(status: number, text: string, baseUrl: string): string {
  if (status === 401)
    return `${baseUrl} wants its admin token: give --token TOKEN or set SLUICE_TOKEN`;
  try {
    const { error, message } = JSON.parse(text) as { error?: string; message?: string };
    if (error !== undefined && message !== undefined) return `${error}: ${message}`;
  } catch {
    // No JSON: something else than a fleet server answered, which the text below says.
  }
  return `${baseUrl} answered ${status}, and not as a fleet server does; check --fleet`;
}
