import type { Http, HttpRequest } from "../ports/http.ts";
import {
  type Deployment,
  type DeploymentRefusal,
  deploymentBytesMax,
  encodeConfigData,
  encodeFeedback,
  type Feedback,
  type Poll,
  parseCancel,
  parseDeployment,
  parsePoll,
  pollBytesMax,
} from "../protocol/ddi.ts";
import { formatRunning, type Running, runningHeader } from "../protocol/running.ts";
import { exchange, retryAfterMs } from "./exchange.ts";

/** Why the server gave no usable answer. */
export type ServerFailure =
  | "no-connection"
  | "unauthorized"
  | "not-found"
  | "server-error"
  | "response-invalid";

export type ServerResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: ServerFailure; readonly retryAfterMs: number | null };

export interface DdiClientOptions {
  /** `http://host:port`, without a path. */
  readonly serverUrl: string;
  readonly tenant: string;
  readonly deviceId: string;
  readonly token: string;
  readonly timeoutMs: number;
  /** Read for every request: the image that runs and whether it is confirmed. */
  running(): Running;
}

/** The device's side of hawkBit's Direct Device Integration, version 1. */
export class DdiClient {
  readonly #http: Http;
  readonly #options: DdiClientOptions;
  readonly #baseUrl: string;

  constructor(http: Http, options: DdiClientOptions) {
    this.#http = http;
    this.#options = options;
    this.#baseUrl = `${options.serverUrl}/${options.tenant}/controller/v1/${options.deviceId}`;
  }

  /** Headers that every request of this device carries, downloads included. */
  headers(): Record<string, string> {
    return {
      accept: "application/json",
      authorization: `TargetToken ${this.#options.token}`,
      [runningHeader]: formatRunning(this.#options.running()),
    };
  }

  poll(): Promise<ServerResult<Poll>> {
    return this.#get(this.#baseUrl, pollBytesMax, parsePoll);
  }

  async deployment(
    url: string,
  ): Promise<
    ServerResult<{ ok: true; deployment: Deployment } | { ok: false; reason: DeploymentRefusal }>
  > {
    return this.#get(url, deploymentBytesMax, parseDeployment);
  }

  cancel(url: string): Promise<ServerResult<{ actionId: string; stopId: string }>> {
    return this.#get(url, pollBytesMax, parseCancel);
  }

  /** An action that the server no longer knows or has closed counts as told: repeating could never succeed. */
  async feedback(actionId: string, feedback: Feedback): Promise<ServerResult<null>> {
    const url = `${this.#baseUrl}/deploymentBase/${actionId}/feedback`;
    return told(await this.#send("POST", url, encodeFeedback(actionId, feedback)));
  }

  async cancelFeedback(actionId: string, feedback: Feedback): Promise<ServerResult<null>> {
    const url = `${this.#baseUrl}/cancelAction/${actionId}/feedback`;
    return told(await this.#send("POST", url, encodeFeedback(actionId, feedback)));
  }

  async configData(
    url: string,
    data: Readonly<Record<string, string>>,
  ): Promise<ServerResult<null>> {
    const sent = await this.#send("PUT", url, encodeConfigData(data));
    return sent.ok ? { ok: true, value: null } : sent;
  }

  async #get<T>(
    url: string,
    bodyBytesMax: number,
    parse: (body: Uint8Array) => T | null,
  ): Promise<ServerResult<T>> {
    const answer = await this.#send("GET", url, null, bodyBytesMax);
    if (!answer.ok) return answer;
    const value = parse(answer.value);
    return value === null ? failure("response-invalid") : { ok: true, value };
  }

  async #send(
    method: HttpRequest["method"],
    url: string,
    body: Uint8Array | null,
    bodyBytesMax: number = pollBytesMax,
  ): Promise<ServerResult<Uint8Array>> {
    const headers = this.headers();
    if (body !== null) headers["content-type"] = "application/json";
    const answer = await exchange(this.#http, {
      method,
      url,
      headers,
      body,
      timeoutMs: this.#options.timeoutMs,
      bodyBytesMax,
    });
    if (!answer.ok)
      return failure(
        answer.failure === "body-too-large" || answer.failure === "bad-url"
          ? "response-invalid"
          : "no-connection",
      );
    const { status } = answer.head;
    if (status >= 200 && status < 300) return { ok: true, value: answer.body };
    if (status === 401 || status === 403) return failure("unauthorized");
    if (status === 404 || status === 410) return failure("not-found");
    if (status >= 500 || status === 429) return failure("server-error", retryAfterMs(answer.head));
    return failure("response-invalid");
  }
}

function told(sent: ServerResult<Uint8Array>): ServerResult<null> {
  return sent.ok || sent.reason === "not-found" ? { ok: true, value: null } : sent;
}

function failure(
  reason: ServerFailure,
  waitMs: number | null = null,
): { readonly ok: false; readonly reason: ServerFailure; readonly retryAfterMs: number | null } {
  return { ok: false, reason, retryAfterMs: waitMs };
}
