import { digits, isOf } from "../image/text-parts.ts";
import type { Http, HttpFailure, HttpRequest } from "../ports/http.ts";
import {
  deploymentBytesMax,
  encodeConfigData,
  encodeFeedback,
  type Feedback,
  type ParsedOffer,
  type Poll,
  parseCancel,
  parseDeployment,
  parsePoll,
  pollBytesMax,
} from "../protocol/ddi.ts";
import type { ResponseDefect } from "../protocol/http-framing.ts";
import { formatRunning, type Running, runningHeader } from "../protocol/running.ts";
import { exchange, retryAfterMs } from "./exchange.ts";

/** Why the server gave no usable answer. */
export type ServerFailure =
  | "no-connection"
  /** The peer did not prove that it is our server, or did not accept this device. */
  | "tls"
  /** Plain HTTP, which the settings do not allow. */
  | "http-not-allowed"
  | "unauthorized"
  | "not-found"
  | "server-error"
  /** A 2xx answer longer than any may be. */
  | "response-too-large"
  | "response-invalid"
  /** An answer that is no HTTP/1.1, or in a coding: something on the way. */
  | ResponseDefect
  | "url-too-long"
  | "url-ipv6"
  | "redirect-refused";

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
    const { serverUrl, tenant, deviceId } = options;
    const ownPath = `/controller/v1/${encodeURIComponent(deviceId)}`;
    this.#baseUrl = `${serverUrl}/${encodeURIComponent(tenant)}${ownPath}`;
  }

  /**
   * Where to ask for what a link of the server leads to. A server writes links as it sees itself,
   * which is not always how the device reaches it: behind a proxy, say. A link to something of this
   * device therefore leads to where the device polls; any other is taken as it is.
   */
  addressOf(link: string): string {
    const [scheme = "", empty, server = "", tenant = "", ...path] = link.split("/");
    const [controller, version, id = "", ...rest] = path;
    const isOfHttp = (scheme === "http:" || scheme === "https:") && empty === "";
    const isOfTenant =
      server !== "" && tenant !== "" && authorityOf(server + tenant) === server + tenant;
    const isOwn = controller === "controller" && version === "v1" && rest.length > 0;
    if (!isOfHttp || !isOfTenant || !isOwn || !spells(id, this.#options.deviceId)) return link;
    return `${this.#baseUrl}/${rest.join("/")}`;
  }

  /**
   * Headers that every request of this device carries, downloads included. Who the device is and
   * what it runs is for its own server alone: an address on another host, or without TLS where the
   * server has it, gets neither.
   */
  headers(url: string): Record<string, string> {
    if (!isOfServer(url, this.#options.serverUrl)) return {};
    return {
      authorization: `TargetToken ${this.#options.token}`,
      [runningHeader]: formatRunning(this.#options.running()),
    };
  }

  poll(): Promise<ServerResult<Poll>> {
    return this.#get(this.#baseUrl, pollBytesMax, parsePoll);
  }

  offer(url: string): Promise<ServerResult<ParsedOffer>> {
    return this.#get(this.addressOf(url), deploymentBytesMax, parseDeployment);
  }

  cancel(url: string): Promise<ServerResult<{ actionId: string; stopId: string }>> {
    return this.#get(this.addressOf(url), pollBytesMax, parseCancel);
  }

  /**
   * An action that the server no longer knows or has closed counts as told: repeating could never
   * succeed.
   */
  async feedback(actionId: string, feedback: Feedback): Promise<ServerResult<null>> {
    const url = `${this.#baseUrl}/deploymentBase/${actionId}/feedback`;
    return told(await this.#send("POST", url, encodeFeedback(actionId, feedback)));
  }

  async cancelFeedback(actionId: string, feedback: Feedback): Promise<ServerResult<null>> {
    const url = `${this.#baseUrl}/cancelAction/${actionId}/feedback`;
    return told(await this.#send("POST", url, encodeFeedback(actionId, feedback)));
  }

  /** An extension of ours: a server that does not know it, as a plain hawkBit, counts as told. */
  async events(body: Uint8Array): Promise<ServerResult<null>> {
    return told(await this.#send("POST", `${this.#baseUrl}/events`, body));
  }

  /** The same; asked only of a server whose polls say that it takes counters. */
  async counters(body: Uint8Array): Promise<ServerResult<null>> {
    return told(await this.#send("POST", `${this.#baseUrl}/counters`, body));
  }

  /** Attributes that changed, without being asked for them. */
  attributes(data: Readonly<Record<string, string>>): Promise<ServerResult<null>> {
    return this.configData(`${this.#baseUrl}/configData`, data);
  }

  async configData(
    url: string,
    data: Readonly<Record<string, string>>,
  ): Promise<ServerResult<null>> {
    const sent = await this.#send("PUT", this.addressOf(url), encodeConfigData(data));
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
    const headers: Record<string, string> = { accept: "application/json", ...this.headers(url) };
    if (body !== null) headers["content-type"] = "application/json";
    const answer = await exchange(this.#http, {
      method,
      url,
      headers,
      body,
      timeoutMs: this.#options.timeoutMs,
      bodyBytesMax,
    });
    if (!answer.ok) return failure(failures[answer.failure]);
    const { status } = answer.head;
    // The page of a portal on the way says nothing of what was asked for.
    const isForeign = method === "GET" && isForPeople(answer.head.headers.get("content-type"));
    if (status >= 200 && status < 300)
      return isForeign ? failure("response-invalid") : { ok: true, value: answer.body };
    if (status === 401 || status === 403) return failure("unauthorized");
    if (status === 404 || status === 410) return failure("not-found");
    if (status >= 500 || status === 408 || status === 425 || status === 429)
      return failure("server-error", retryAfterMs(answer.head));
    return failure("response-invalid");
  }
}

const failures: Readonly<Record<HttpFailure, ServerFailure>> = {
  timeout: "no-connection",
  connection: "no-connection",
  tls: "tls",
  "http-not-allowed": "http-not-allowed",
  aborted: "no-connection",
  "body-too-large": "response-too-large",
  "bad-url": "response-invalid",
  "url-too-long": "url-too-long",
  "url-ipv6": "url-ipv6",
  "redirect-refused": "redirect-refused",
  "response-malformed": "response-malformed",
  "head-too-large": "head-too-large",
  "content-encoded": "content-encoded",
};

function isOfServer(url: string, serverUrl: string): boolean {
  const [target, server] = [hostOf(url), hostOf(serverUrl)];
  if (target === null || server === null || target.host !== server.host) return false;
  return target.secure || !server.secure;
}

function hostOf(url: string): { readonly secure: boolean; readonly host: string } | null {
  const schemeEnd = url.indexOf("://");
  const scheme = url.slice(0, Math.max(schemeEnd, 0)).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return null;
  const [host = "", port, ...more] = authorityOf(url.slice(schemeEnd + 3)).split(":");
  if (host === "" || host.includes("@") || more.length > 0) return null;
  if (port !== undefined && !isOf(port, digits, 1, port.length)) return null;
  return { secure: scheme === "https", host: host.toLowerCase() };
}

/** What stands before a path, a query and a fragment. */
function authorityOf(text: string): string {
  let end = 0;
  while (end < text.length && !"/?#".includes(text.charAt(end))) end += 1; // bounded by the text
  return text.slice(0, end);
}

/** A page, whatever its status says. */
function isForPeople(contentType: string | undefined): boolean {
  const type = (contentType ?? "").trim().toLowerCase();
  return type.startsWith("text/html") || type.startsWith("application/xhtml");
}

function told(sent: ServerResult<Uint8Array>): ServerResult<null> {
  if (sent.ok || sent.reason === "not-found") return { ok: true, value: null };
  // A long answer is a 2xx one: the feedback was taken, with too many words.
  return sent.reason === "response-too-large" ? { ok: true, value: null } : sent;
}

function failure(
  reason: ServerFailure,
  waitMs: number | null = null,
): { readonly ok: false; readonly reason: ServerFailure; readonly retryAfterMs: number | null } {
  return { ok: false, reason, retryAfterMs: waitMs };
}

/**
 * Whether a part of a path is the text: servers differ in what they escape, as the ":" of a MAC
 * address.
 */
function spells(part: string, text: string): boolean {
  if (part === text) return true;
  try {
    return decodeURIComponent(part) === text;
  } catch {
    return false; // a "%" that escapes nothing
  }
}
