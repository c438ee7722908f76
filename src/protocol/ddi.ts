import { type DigestHex, parseDigestHex } from "./digest.ts";
import {
  arrayAt,
  encodeJson,
  integerAt,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  objectAt,
  parseJsonObject,
  stringAt,
} from "./json.ts";

/** Larger bodies are refused before they are parsed. */
export const pollBytesMax = 4096;
export const deploymentBytesMax = 16_384;
const hrefLengthMax = 1024;
const chunksMax = 8;
const artifactsMax = 8;
const metadataMax = 32;
const pollSecondsMin = 1;
const pollSecondsMax = 7 * 24 * 3600;

/** What a base poll tells: when to come back and what is wanted (hawkBit DDI v1, `GET base`). */
export interface Poll {
  readonly sleepSeconds: number;
  readonly deploymentUrl: string | null;
  readonly cancelUrl: string | null;
  readonly configDataUrl: string | null;
}

/** The one image that a deployment asks for (hawkBit DDI v1, `deploymentBase`). */
export interface Deployment {
  readonly actionId: string;
  readonly update: "forced" | "attempt" | "skip";
  readonly windowOpen: boolean;
  readonly version: string;
  readonly fileName: string;
  readonly fileHash: DigestHex;
  readonly fileBytes: number;
  readonly url: string;
  /** From our server's chunk metadata; null from a plain hawkBit. */
  readonly imageHash: DigestHex | null;
}

export type DeploymentRefusal = "malformed-deployment" | "unsupported-deployment";

export function parsePoll(body: Uint8Array): Poll | null {
  const root = parseJsonObject(body, pollBytesMax);
  if (root === null) return null;
  const polling = objectAt(objectAt(root, "config") ?? {}, "polling");
  const sleepSeconds = parseSleep(polling === null ? null : stringAt(polling, "sleep", 16));
  if (sleepSeconds === null) return null;
  const links = objectAt(root, "_links") ?? {};
  return {
    sleepSeconds,
    deploymentUrl: hrefAt(links, "deploymentBase"),
    cancelUrl: hrefAt(links, "cancelAction"),
    configDataUrl: hrefAt(links, "configData"),
  };
}

/**
 * Takes a deployment with exactly one chunk that holds exactly one artifact: one image for one slot.
 * `unsupported-deployment` is well-formed but not that; the device reports it and installs nothing.
 */
export function parseDeployment(
  body: Uint8Array,
): { ok: true; deployment: Deployment } | { ok: false; reason: DeploymentRefusal } {
  const root = parseJsonObject(body, deploymentBytesMax);
  const actionId = root === null ? null : stringAt(root, "id", 20);
  const deployment = root === null ? null : objectAt(root, "deployment");
  const update = deployment === null ? null : stringAt(deployment, "update", 16);
  const chunks = deployment === null ? null : arrayAt(deployment, "chunks", chunksMax);
  if (actionId === null || !/^\d+$/.test(actionId) || deployment === null || chunks === null)
    return { ok: false, reason: "malformed-deployment" };
  if (update !== "forced" && update !== "attempt" && update !== "skip")
    return { ok: false, reason: "malformed-deployment" };
  const chunk = onlyObject(chunks);
  const artifacts = chunk === null ? null : arrayAt(chunk, "artifacts", artifactsMax);
  const artifact = artifacts === null ? null : onlyObject(artifacts);
  if (chunk === null || artifact === null) return { ok: false, reason: "unsupported-deployment" };
  const file = parseArtifact(artifact);
  const version = stringAt(chunk, "version", 64);
  if (file === null || version === null) return { ok: false, reason: "malformed-deployment" };
  return {
    ok: true,
    deployment: {
      actionId,
      update,
      windowOpen: stringAt(deployment, "maintenanceWindow", 16) !== "unavailable",
      version,
      ...file,
      imageHash: parseDigestHex(metadataAt(chunk, "sluice-image-hash")),
    },
  };
}

export type Execution =
  | "proceeding"
  | "download"
  | "downloaded"
  | "scheduled"
  | "resumed"
  | "rejected"
  | "canceled"
  | "closed";

/** `POST .../feedback`: `details` are `key=value` texts that a person can read in a plain hawkBit. */
export interface Feedback {
  readonly execution: Execution;
  readonly finished: "none" | "success" | "failure";
  readonly details: readonly string[];
}

export function encodeFeedback(actionId: string, feedback: Feedback): Uint8Array {
  return encodeJson({
    id: actionId,
    status: {
      execution: feedback.execution,
      result: { finished: feedback.finished },
      details: feedback.details,
    },
  });
}

/** `PUT configData`: the attributes that describe the device to the server. */
export function encodeConfigData(data: Readonly<Record<string, string>>): Uint8Array {
  return encodeJson({ mode: "merge", data });
}

/** `GET cancelAction/{id}`: the action to stop. */
export function parseCancel(body: Uint8Array): { actionId: string; stopId: string } | null {
  const root = parseJsonObject(body, pollBytesMax);
  const actionId = root === null ? null : stringAt(root, "id", 20);
  const cancel = root === null ? null : objectAt(root, "cancelAction");
  const stopId = cancel === null ? null : stringAt(cancel, "stopId", 20);
  if (actionId === null || stopId === null || !/^\d+$/.test(actionId)) return null;
  return { actionId, stopId };
}

function parseSleep(text: string | null): number | null {
  const match = text === null ? null : /^(\d{2,3}):([0-5]\d):([0-5]\d)$/.exec(text);
  if (match === null) return null;
  const seconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
  return Math.min(Math.max(seconds, pollSecondsMin), pollSecondsMax);
}

function parseArtifact(
  artifact: JsonObject,
): Pick<Deployment, "fileName" | "fileHash" | "fileBytes" | "url"> | null {
  const fileName = stringAt(artifact, "filename", 256);
  const hashes = objectAt(artifact, "hashes");
  const fileHash = parseDigestHex(hashes === null ? null : stringAt(hashes, "sha256", 64));
  const fileBytes = integerAt(artifact, "size", 1, 0xffff_ffff);
  const links = objectAt(artifact, "_links") ?? {};
  const url = hrefAt(links, "download") ?? hrefAt(links, "download-http");
  if (fileName === null || fileHash === null || fileBytes === null || url === null) return null;
  return { fileName, fileHash, fileBytes, url };
}

function metadataAt(chunk: JsonObject, key: string): string | null {
  for (const entry of arrayAt(chunk, "metadata", metadataMax) ?? [])
    if (isJsonObject(entry) && stringAt(entry, "key", 128) === key)
      return stringAt(entry, "value", 1024);
  return null;
}

function hrefAt(links: JsonObject, key: string): string | null {
  const link = objectAt(links, key);
  return link === null ? null : stringAt(link, "href", hrefLengthMax);
}

function onlyObject(values: readonly JsonValue[]): JsonObject | null {
  const [value] = values;
  return values.length === 1 && isJsonObject(value) ? value : null;
}
