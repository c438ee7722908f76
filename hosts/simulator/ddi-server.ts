import { hash } from "node:crypto";
import type { HttpCall } from "./board/host-calls.ts";
import type { Network, NetworkAnswer } from "./network.ts";

export interface DdiOffer {
  readonly actionId: string;
  readonly version: string;
  readonly file: Uint8Array;
  readonly imageHash?: string;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HandledRequest extends SeenRequest {
  /** False when the answer never reached the device. */
  readonly answered: boolean;
  readonly atMs: number;
}

/** Changes an answer on its way, or gives another one; null lets the server's own through. */
export type Interference = (
  request: SeenRequest,
  answer: NetworkAnswer,
  server: DdiServer,
) => NetworkAnswer | null;

const origin = "http://127.0.0.1:80";
/** The device's name in the paths that the server gives out. */
export const ddiDeviceId = "bench";

/**
 * A DDI server in memory with one device: offers what it is told to, serves ranges, closes an
 * action on closed feedback, and remembers every request. Its answers can be interfered with, for
 * networks and servers that misbehave.
 */
export class DdiServer implements Network {
  /** What its links begin with. */
  url = origin;
  readonly requests: HandledRequest[] = [];
  pollSleep = "00:01:00";
  offer: DdiOffer | null = null;
  cancelId: string | null = null;
  interfere: Interference = () => null;
  /** The time that requests are remembered with. */
  nowMs: () => number = () => 0;

  /** A server in the same state, to go on from here more than once. */
  fork(): DdiServer {
    const copy = new DdiServer();
    copy.url = this.url;
    copy.requests.push(...this.requests);
    copy.pollSleep = this.pollSleep;
    copy.offer = this.offer;
    copy.cancelId = this.cancelId;
    copy.interfere = this.interfere;
    return copy;
  }

  /** Everything that later answers depend on, but for `interfere`, as text. */
  get state(): string {
    const { url, requests, pollSleep, offer, cancelId } = this;
    return JSON.stringify([url, requests, pollSleep, offer?.actionId, cancelId]);
  }

  exchange(call: HttpCall, body: Uint8Array): Promise<NetworkAnswer> {
    const request: SeenRequest = {
      method: call.method,
      path: call.path,
      headers: call.headers,
      body: new TextDecoder().decode(body),
    };
    const own = this.#answer(request);
    const answer = this.interfere(request, own, this) ?? own;
    const answered = answer.kind === "response";
    this.requests.push({ ...request, answered, atMs: this.nowMs() });
    return Promise.resolve(answer);
  }

  /** The `key=value` details of every feedback so far, joined per request. */
  get reports(): string[] {
    return this.requests
      .filter(({ path }) => path.endsWith("/feedback"))
      .map(({ body }) => {
        const { status } = JSON.parse(body) as {
          status: { execution: string; result: { finished: string }; details: string[] };
        };
        return [status.execution, status.result.finished, ...status.details].join(" ");
      });
  }

  /** Bytes of the artifact that were sent. */
  get artifactRanges(): string[] {
    return this.requests
      .filter(({ path }) => path.startsWith("/artifact/"))
      .map(({ headers }) => headers["range"] ?? "whole");
  }

  #answer(request: SeenRequest): NetworkAnswer {
    const { path } = request;
    if (path.endsWith("/feedback")) {
      const { status } = JSON.parse(request.body) as { status: { execution: string } };
      if (path.includes("/cancelAction/")) this.cancelId = null;
      else if (!path.includes(`/deploymentBase/${this.offer?.actionId}/`)) return json(410, {});
      else if (status.execution === "closed") this.offer = null;
      return json(200, {});
    }
    if (path.endsWith("/configData")) return json(200, {});
    if (path.includes("/cancelAction/"))
      return json(200, { id: this.cancelId, cancelAction: { stopId: this.cancelId } });
    if (path.includes("/deploymentBase/")) return this.#deployment();
    if (path.startsWith("/artifact/")) return this.#artifact(request);
    return this.#poll();
  }

  #poll(): NetworkAnswer {
    const base = `${this.url}/DEFAULT/controller/v1/${ddiDeviceId}`;
    const links: Record<string, object> = {};
    if (this.cancelId !== null)
      links["cancelAction"] = { href: `${base}/cancelAction/${this.cancelId}` };
    else if (this.offer !== null)
      links["deploymentBase"] = { href: `${base}/deploymentBase/${this.offer.actionId}?c=1` };
    return json(200, { config: { polling: { sleep: this.pollSleep } }, _links: links });
  }

  #deployment(): NetworkAnswer {
    const { offer } = this;
    if (offer === null) return json(404, {});
    const artifact = {
      filename: "firmware.bin",
      hashes: { sha256: hash("sha256", offer.file, "hex"), sha1: "", md5: "" },
      size: offer.file.length,
      _links: { download: { href: `${this.url}/artifact/${offer.actionId}` } },
    };
    const metadata =
      offer.imageHash === undefined ? [] : [{ key: "sluice-image-hash", value: offer.imageHash }];
    const chunks = [
      { part: "bApp", version: offer.version, name: "firmware", artifacts: [artifact], metadata },
    ];
    return json(200, {
      id: offer.actionId,
      deployment: { download: "forced", update: "forced", chunks },
    });
  }

  #artifact(request: SeenRequest): NetworkAnswer {
    const file = this.offer?.file;
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers["range"] ?? "");
    if (file === undefined || match === null) return json(404, {});
    const from = Number(match[1]);
    const to = Math.min(Number(match[2]), file.length - 1);
    return {
      kind: "response",
      status: 206,
      headers: {
        "content-length": String(to - from + 1),
        "content-range": `bytes ${from}-${to}/${file.length}`,
      },
      body: file.subarray(from, to + 1),
      brokenAfterBytes: null,
    };
  }
}

function json(status: number, value: object): NetworkAnswer {
  return text(status, JSON.stringify(value));
}

export function text(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): NetworkAnswer {
  const bytes = new TextEncoder().encode(body);
  return {
    kind: "response",
    status,
    headers: { "content-length": String(bytes.length), ...headers },
    body: bytes,
    brokenAfterBytes: null,
  };
}
