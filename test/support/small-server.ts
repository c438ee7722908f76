import type { HttpRequest } from "../../src/ports/http.ts";
import { rangeOf, type Script } from "./scripted-http.ts";
import { type SmallImage, sha256Hex } from "./small-images.ts";

export interface SmallOffer {
  readonly actionId: string;
  readonly image: SmallImage;
  /** What the server says of the image beforehand; null for a plain hawkBit. */
  readonly imageHash?: string | null;
  readonly update?: "forced" | "attempt" | "skip";
  readonly approved?: boolean;
  readonly retry?: boolean;
  /** Offered in place of the image. */
  readonly configuration?: { readonly version: number; readonly bytes: Uint8Array };
  readonly window?: "available" | "unavailable";
  /** The last part of the file's address; the action unless the test says otherwise. */
  readonly place?: string;
}

export interface SmallAttributes {
  readonly data: Readonly<Record<string, string>>;
}

export interface SmallEvent {
  readonly id: string;
  readonly type: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export type SmallCounters = Readonly<Record<string, unknown>> & { readonly id: string };

export const serverUrl = "http://fleet.test:8080";
const base = `${serverUrl}/DEFAULT/controller/v1/dev-1`;

/**
 * The other side of the agent at the level of the HTTP port: one device, what it is offered, what
 * it reported. Final feedback closes an action as hawkBit does; `interfere` puts any other answer
 * in place of its own.
 */
export class SmallServer {
  sleep = "00:05:00";
  offer: SmallOffer | null = null;
  cancelId: string | null = null;
  wantsAttributes = false;
  /** How the server spells its own address in the links it gives. */
  spelling = serverUrl;
  /** Counts with each offer, as the link to a deployment changes with its content. */
  revision = 1;
  interfere: (request: HttpRequest) => Script | null = () => null;
  /** Every feedback that was taken: action, execution, result and details. */
  readonly reports: string[] = [];
  /** Feedback on actions that were closed before. */
  readonly lateReports: string[] = [];
  readonly attributes: SmallAttributes[] = [];
  readonly events: SmallEvent[] = [];
  /** Polls say that it takes counters; a plain hawkBit says no such thing. */
  takesCounters = false;
  readonly counters: SmallCounters[] = [];

  answer(request: HttpRequest): Script {
    const script = this.interfere(request) ?? this.#answer(request);
    if (!("status" in script) || typeof script.body !== "string") return script;
    return { ...script, body: script.body.replaceAll(serverUrl, this.spelling) };
  }

  #answer(request: HttpRequest): Script {
    const path = request.url.slice(base.length);
    if (request.url === base) return json(this.#poll());
    if (path.endsWith("/feedback")) return this.#feedback(request, path);
    if (path.startsWith("/deploymentBase/")) return this.#deployment();
    if (path.startsWith("/cancelAction/"))
      return json({ id: this.cancelId, cancelAction: { stopId: this.cancelId } });
    if (path === "/events") return this.#events(request);
    if (path === "/counters" && this.takesCounters) {
      this.counters.push(JSON.parse(text(request.body)) as SmallCounters);
      return json({ accepted: true });
    }
    if (path === "/configData") {
      this.attributes.push(JSON.parse(text(request.body)) as SmallAttributes);
      this.wantsAttributes = false;
      return { status: 200 };
    }
    const file = this.offer?.configuration ?? this.offer?.image;
    if (path.startsWith("/file/") && file !== undefined) return rangeOf(file.bytes, request);
    return { status: 404 };
  }

  /** Each event once, however often it comes. */
  #events(request: HttpRequest): Script {
    for (const event of JSON.parse(text(request.body)) as SmallEvent[])
      if (!this.events.some(({ id }) => id === event.id)) this.events.push(event);
    return { status: 200 };
  }

  #poll(): object {
    const links: Record<string, object> = {};
    if (this.takesCounters) links["counters"] = { href: `${base}/counters` };
    if (this.wantsAttributes) links["configData"] = { href: `${base}/configData` };
    if (this.cancelId !== null)
      links["cancelAction"] = { href: `${base}/cancelAction/${this.cancelId}` };
    else if (this.offer !== null)
      links["deploymentBase"] = {
        href: `${base}/deploymentBase/${this.offer.actionId}?c=${this.revision}`,
      };
    return { config: { polling: { sleep: this.sleep } }, _links: links };
  }

  #deployment(): Script {
    const { offer } = this;
    return offer === null ? { status: 404 } : json(deploymentBody(offer));
  }

  #feedback(request: HttpRequest, path: string): Script {
    const [, link, actionId = ""] = path.split("/");
    const { status } = JSON.parse(text(request.body)) as {
      status: { execution: string; result: { finished: string }; details: string[] };
    };
    const { execution, result, details } = status;
    const isCancel = link === "cancelAction";
    const isKnown = isCancel ? actionId === this.cancelId : actionId === this.offer?.actionId;
    const line = [isCancel ? "cancel" : actionId, execution, result.finished, ...details].join(" ");
    if (!isKnown) {
      this.lateReports.push(line);
      return { status: 410 };
    }
    this.reports.push(line);
    if (isCancel && execution === "closed") this.offer = null;
    if (isCancel) this.cancelId = null;
    else if (execution === "closed") this.offer = null;
    return { status: 200 };
  }
}

export function deploymentBody(offer: SmallOffer): object {
  const { actionId, image, update = "forced", window, place = actionId } = offer;
  const imageHash = offer.imageHash === undefined ? image.imageHash : offer.imageHash;
  const file = offer.configuration ?? image;
  const artifact = {
    filename: "firmware.bin",
    hashes: { sha1: "", md5: "", sha256: sha256Hex(file.bytes) },
    size: file.bytes.length,
    _links: { download: { href: `${base}/file/${place}` } },
  };
  const metadata = [
    ...(imageHash === null ? [] : [{ key: "sluice-image-hash", value: imageHash }]),
    ...(offer.approved === true ? [{ key: "sluice.approved", value: "true" }] : []),
    ...(offer.retry === true ? [{ key: "sluice.retry", value: "true" }] : []),
  ];
  const chunk = {
    part: offer.configuration === undefined ? "bApp" : "configuration",
    version: String(file.version),
    name: "firmware",
    artifacts: [artifact],
    metadata,
  };
  const schedule = window === undefined ? {} : { maintenanceWindow: window };
  return { id: actionId, deployment: { download: "forced", update, ...schedule, chunks: [chunk] } };
}

export function json(value: unknown): Script {
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  };
}

function text(body: Uint8Array | null): string {
  return new TextDecoder().decode(body ?? new Uint8Array(0));
}
