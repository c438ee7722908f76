import type { Command } from "commander";
import { printable } from "../../text/terminal-text.ts";
import { environmentError } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { configured, configuredToken } from "../options/configuration.ts";
import type { Check } from "./answer-shape.ts";

/** The flags of every subcommand that asks a fleet server. */
export interface FleetFlags {
  readonly fleet: string;
  readonly token?: string;
  readonly json?: true;
}

const defaultUrl = "http://127.0.0.1:8080";
const requestMs = 60_000;
/** Pages of lists are far smaller; what is larger is no answer of a fleet server. */
const answerBytesMax = 64 * 1024 * 1024;

/** Adds `--fleet`, `--token` and `--json`; the first two may also come from the environment. */
export function withFleetFlags(command: Command): Command {
  return command
    .option("--fleet <url>", "the fleet server", defaultFleetUrl())
    .option("--token <token>", "its admin token; else SLUICE_TOKEN")
    .option("--json", "print the server's answer as JSON");
}

/** Where commands find the fleet server when nobody says. */
export function defaultFleetUrl(): string {
  return configured("SLUICE_FLEET", ({ fleet }) => fleet) ?? defaultUrl;
}

/**
 * The management API of one server, for commands: every failure is a `CommandError` that says what
 * to do next.
 */
export class FleetClient {
  private readonly baseUrl: string;
  private readonly token: string | undefined;

  constructor(flags: FleetFlags) {
    this.baseUrl = baseUrlOf(flags.fleet);
    this.token = flags.token ?? configuredToken();
    if (this.token !== undefined && !/^[!-~]+$/.test(this.token))
      throw new CommandError(
        "the admin token has a space or another character that no token has; check --token or SLUICE_TOKEN",
        exitCodes.usage,
      );
  }

  get<T extends object>(path: string, check: Check<T> | null = null): Promise<T> {
    return this.call("GET", path, null, null, check);
  }

  post<T extends object>(path: string, body: object, check: Check<T> | null = null): Promise<T> {
    return this.call("POST", path, JSON.stringify(body), "application/json", check);
  }

  put<T extends object>(path: string, body: object, check: Check<T> | null = null): Promise<T> {
    return this.call("PUT", path, JSON.stringify(body), "application/json", check);
  }

  patch<T extends object>(path: string, body: object, check: Check<T> | null = null): Promise<T> {
    return this.call("PATCH", path, JSON.stringify(body), "application/json", check);
  }

  /** Answers also with one of these refusals, whose body says what to do about it. */
  postFor<T extends object>(path: string, body: object, statuses: readonly number[]): Promise<T> {
    return this.call("POST", path, JSON.stringify(body), "application/json", null, statuses);
  }

  postBytes<T extends object>(
    path: string,
    bytes: Uint8Array,
    check: Check<T> | null = null,
  ): Promise<T> {
    return this.call("POST", path, bytes, "application/octet-stream", check);
  }

  /** Answers also with one of these refusals, whose body says what to do about it. */
  postFile<T extends object>(
    path: string,
    bytes: Uint8Array,
    type: string,
    statuses: readonly number[],
  ): Promise<T> {
    return this.call("POST", path, bytes, type, null, statuses);
  }

  /** Answers nothing, whatever the server says besides that it is done. */
  async delete(path: string): Promise<void> {
    const { status, text } = await this.exchange("DELETE", path, null, null);
    if (status < 200 || status > 299) throw this.refusal(status, text);
  }

  private async call<T extends object>(
    method: string,
    path: string,
    body: string | Uint8Array | null,
    type: string | null,
    check: Check<T> | null,
    statuses: readonly number[] = [],
  ): Promise<T> {
    const { status, text } = await this.exchange(method, path, body, type);
    if ((status < 200 || status > 299) && !statuses.includes(status))
      throw this.refusal(status, text);
    // Nothing to say is an answer too: a file was taken.
    if (status === 204 && text === "" && check === null) return {} as T;
    const answer = objectIn(text);
    if (answer === null || !(check?.(answer) ?? true))
      throw new CommandError(
        `${this.baseUrl} answers, but not as a fleet server: ${beginningOf(text)}; check --fleet, and any proxy between`,
        exitCodes.server,
      );
    return answer as T;
  }

  private async exchange(
    method: string,
    path: string,
    body: string | Uint8Array | null,
    type: string | null,
  ): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const response = await fetch(`${this.baseUrl}/api/v1${path}`, {
        method,
        body: body as NonNullable<RequestInit["body"]> | null,
        signal: AbortSignal.timeout(requestMs),
        headers: {
          ...(type === null ? {} : { "content-type": type }),
          ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        },
      });
      return { status: response.status, text: await this.textOf(response) };
    } catch (error) {
      throw this.failure(error);
    }
  }

  private async textOf(response: Response): Promise<string> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > answerBytesMax)
        throw new CommandError(
          `${this.baseUrl} answers with more than ${answerBytesMax} bytes, and so not as a fleet server; check --fleet`,
          exitCodes.server,
        );
      parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
  }

  /** What was in the way of an answer. */
  private failure(error: unknown): unknown {
    if (error instanceof CommandError || !(error instanceof Error)) return error;
    const cause = error.cause instanceof Error ? error.cause : error;
    const { code = "" } = cause as NodeJS.ErrnoException;
    const refused = (text: string) => new CommandError(text, exitCodes.server);
    if (/CERT|ISSUER|SIGNATURE|ALTNAME/.test(code))
      return refused(
        `${this.baseUrl} is not trusted (${code}): name the file of its authority in NODE_EXTRA_CA_CERTS`,
      );
    if (/^(?:ERR_SSL|ERR_TLS|EPROTO|HPE_)/.test(code))
      return refused(
        `${this.baseUrl} does not speak ${this.baseUrl.split(":", 1)[0]} (${code}); check the scheme and the port of --fleet`,
      );
    if (error.name === "TimeoutError")
      return refused(`${this.baseUrl} did not answer within ${requestMs / 1000} s; try again`);
    const told = environmentError(cause, `no answer from ${this.baseUrl}`);
    const said = told instanceof CommandError ? told.message : `no answer from ${this.baseUrl}`;
    const why = code === "" ? cause.message : code;
    return refused(
      `${said} (${why}): is \`sluice fleet serve\` running there? --fleet names another server`,
    );
  }

  private refusal(status: number, text: string): CommandError {
    return new CommandError(refusalText(status, text, this.baseUrl), exitCodes.server);
  }
}

/** Throws `CommandError` for anything but http(s)://HOST:PORT, perhaps with a path. */
function baseUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    [url.username, url.password, url.search, url.hash].every((part) => part === "");
  if (!isPlain)
    throw new CommandError(`--fleet ${text} is no address: give http://HOST:PORT`, exitCodes.usage);
  return text.replace(/\/+$/, "");
}

function objectIn(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null; // the caller tells what it is
  }
}

const beginningCharacters = 60;

/** What it is instead, for whoever has to find the proxy that said it. */
function beginningOf(text: string): string {
  const start = printable(text.trim().replaceAll(/\s+/g, " ").slice(0, beginningCharacters));
  return start === "" ? "it says nothing" : `it says "${start}"`;
}

function refusalText(status: number, text: string, baseUrl: string): string {
  const { error, message } = (objectIn(text) ?? {}) as { error?: unknown; message?: unknown };
  const isTold = typeof error === "string" && typeof message === "string";
  if (status === 401)
    return `${baseUrl} wants its admin token: give --token TOKEN or set SLUICE_TOKEN`;
  if (isTold) return printable(`${error}: ${message}`);
  return `${baseUrl} answered ${status}, and not as a fleet server does: ${beginningOf(text)}; check --fleet, and any proxy between`;
}
