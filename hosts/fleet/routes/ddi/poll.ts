import type { FastifyReply, FastifyRequest } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import type { DeviceEntry } from "../../operations/known-devices.ts";
import { answer, answerText, etagOf, negotiate, notAcceptable } from "./answers.ts";
import { deviceUrl, type LinkBase } from "./deployment-body.ts";

/**
 * Answers the base poll from memory. The text is written once per device and change, so that an
 * idle poll costs a map look-up. A device on trial always gets a 200: that is the heartbeat which
 * its health check waits for.
 */
export function answerPoll(
  request: FastifyRequest,
  reply: FastifyReply,
  entry: DeviceEntry,
  { fleet, base, pollSeconds }: PollContext,
): FastifyReply {
  const type = negotiate(request.headers.accept);
  if (type === null) return notAcceptable(request, reply);
  const isSent = entry.instruction.kind !== "install" || mayBeSent(fleet, entry);
  const waitSeconds = fleet.admission.pollSeconds(entry);
  if (!isSent || waitSeconds !== null) {
    const shown = isSent ? entry : { ...entry, instruction: { kind: "none" } as const };
    const isIdle = shown.instruction.kind === "none";
    const sleepMax = isIdle ? Number.POSITIVE_INFINITY : pollSeconds;
    const seconds = Math.min(waitSeconds ?? pollSeconds, sleepMax);
    return answer(request, reply, pollBody(shown, base, seconds));
  }
  if (type === "application/cbor")
    return answer(request, reply, pollBody(entry, base, pollSeconds));
  let known = entry.pollAnswer;
  if (known === null || known.baseUrl !== base.serverUrl) {
    const body = JSON.stringify(pollBody(entry, base, pollSeconds));
    known = { baseUrl: base.serverUrl, body, etag: etagOf(body) };
    entry.pollAnswer = known;
  }
  const isOnTrial = entry.row.running_confirmed === 0;
  if (request.headers["if-none-match"] === known.etag && !isOnTrial)
    return reply.code(304).header("etag", known.etag).send();
  return answerText(reply, { type, text: known.body, etag: known.etag });
}

export interface PollContext {
  readonly fleet: Fleet;
  readonly base: LinkBase;
  readonly pollSeconds: number;
}

/** A device that has begun with its file is told of it in any case; one that has not may wait. */
function mayBeSent(fleet: Fleet, entry: DeviceEntry): boolean {
  return entry.row.state !== "offered" || fleet.admission.mayDownload(entry);
}

/** "HH:mm:ss", always eight characters: Zephyr's client reads no other. */
export function sleepText(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${two(hours)}:${two(minutes)}:${two(seconds % 60)}`;
}

function pollBody(entry: DeviceEntry, base: LinkBase, pollSeconds: number): object {
  const links = pollLinks(entry, deviceUrl(base));
  const config = { polling: { sleep: sleepText(pollSeconds) } };
  return Object.keys(links).length === 0 ? { config } : { config, _links: links };
}

function pollLinks(entry: DeviceEntry, url: string): Record<string, { href: string }> {
  const links: Record<string, { href: string }> = {};
  const { instruction, row } = entry;
  switch (instruction.kind) {
    case "install":
      links["deploymentBase"] = {
        href: `${url}/deploymentBase/${instruction.actionId}?c=${instruction.etag}`,
      };
      break;
    case "confirm":
      links["confirmationBase"] = {
        href: `${url}/confirmationBase/${instruction.actionId}?c=${instruction.etag}`,
      };
      break;
    case "cancel":
      links["cancelAction"] = { href: `${url}/cancelAction/${instruction.actionId}` };
      break;
    case "none":
      if (row.installed_action_id !== null)
        links["installedBase"] = { href: `${url}/installedBase/${row.installed_action_id}` };
      break;
    default:
      instruction satisfies never;
  }
  // Only devices that say what they run are of ours, and know where counters go.
  if (row.running_hash !== null) links["counters"] = { href: `${url}/counters` };
  if (row.attributes_wanted === 1) links["configData"] = { href: `${url}/configData` };
  return links;
}
