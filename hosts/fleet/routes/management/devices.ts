import type { FastifyInstance, FastifyReply } from "fastify";
import { parseFilter } from "../../filter/filter.ts";
import { findEntry } from "../../operations/contact.ts";
import {
  type AddedDevice,
  addDevice,
  cancelAction,
  clearRefusal,
  removeDevice,
} from "../../operations/devices.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { DeviceEntry } from "../../operations/known-devices.ts";
import { findDevices } from "../../operations/list-devices.ts";
import { contactOf } from "../../operations/next-wake.ts";
import { registerFacts } from "../../operations/registry.ts";
import { wakeOfRow } from "../../operations/wake-times.ts";
import { listActions } from "../../storage/actions.ts";
import {
  type DeviceRow,
  listRefusals,
  listSpelledOtherwise,
  readAttributes,
} from "../../storage/devices.ts";
import { listEventsOfDevice, type StoredEvent } from "../../storage/events.ts";
import { listLabels } from "../../storage/registry.ts";
import type { DeviceId } from "../../terms/names.ts";
import {
  answerFilterDefect,
  answerNothing,
  answerPage,
  answerRefusal,
  pageLimit,
} from "../requests/answers.ts";
import { errorResponses, nothing, pageSchema } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { eventView } from "./events.ts";
import {
  addedDeviceSchema,
  cancelledSchema,
  cancelSchema,
  type DeviceAnswer,
  type DeviceDetailAnswer,
  deviceDetailSchema,
  deviceEventsQuery,
  deviceParameters,
  deviceRegistrySchema,
  deviceSchema,
  devicesQuery,
  newDeviceSchema,
  refusalParameters,
} from "./schemas/devices.ts";
import { eventSchema } from "./schemas/events.ts";

const historyMax = 50;
const addRefusals = {
  "invalid-id": 403,
  "too-many-devices": 403,
  "device-exists": 409,
  "spelled-otherwise": 409,
  "weak-token": 400,
} as const;

export function deviceRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "POST",
      url: "/devices",
      schema: {
        operationId: "addDevice",
        tags: ["devices"],
        summary: "Register a device",
        description: "Answers with the token; the server keeps only a digest of it.",
        body: newDeviceSchema,
        response: { 201: addedDeviceSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const { id, hardware, token = null } = request.body;
        const added = await addDevice(fleet, { id, hardware, token });
        if (!added.ok)
          return answerRefusal(reply, addRefusals[added.reason], {
            reason: added.reason,
            message: `device ${id} cannot be added: ${explainRefused(added, id)}`,
          });
        reply.code(201);
        return { ...deviceView(fleet, added.entry.row), token: added.token };
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/devices",
      schema: {
        operationId: "listDevices",
        tags: ["devices"],
        summary: "List devices in the order of their ids",
        querystring: devicesQuery,
        response: { 200: pageSchema(deviceSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const { limit: limitText, after = null, filter: text, ...plain } = request.query;
        const limit = pageLimit(limitText);
        const parsed = text === undefined ? null : parseFilter(text);
        if (parsed !== null && !parsed.ok) return answerFilterDefect(reply, parsed.defect);
        const nowUnixMs = fleet.clock.unixMs();
        const filter =
          parsed === null ? plain : { ...plain, filter: { wanted: parsed.value, nowUnixMs } };
        const rows = await findDevices(fleet, { filter, page: { after, limit } });
        const cursorOf = ({ id }: DeviceRow): string => id;
        const view = (row: DeviceRow) => deviceView(fleet, row);
        return answerPage(reply, { rows, limit, cursorOf, view, schema: deviceSchema });
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/devices/:id",
      schema: {
        operationId: "showDevice",
        params: deviceParameters,
        tags: ["devices"],
        summary: "Show a device with its history, newest first",
        response: { 200: deviceDetailSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const entry = await findEntry(fleet, request.params.id);
        return entry === null
          ? unknownDevice(fleet, reply, request.params.id)
          : detail(fleet, entry);
      },
    });
    typedBySchemas(app).route({
      method: "PATCH",
      url: "/devices/:id",
      schema: {
        operationId: "setDevice",
        params: deviceParameters,
        tags: ["devices"],
        summary: "Set what an operator knows of a device",
        description:
          "What is set goes before what the device tells; null takes it back. Tags and groups are the operator's alone.",
        body: deviceRegistrySchema,
        response: { 200: deviceDetailSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const entry = await findEntry(fleet, request.params.id);
        if (entry === null) return unknownDevice(fleet, reply, request.params.id);
        const { tags: tag = {}, groups: group = {}, ...fields } = request.body;
        const result = await registerFacts(fleet, entry, { fields, labels: { tag, group } });
        if (result.ok) return detail(fleet, entry);
        if (result.reason === "gone") return unknownDevice(fleet, reply, request.params.id);
        return answerRefusal(reply, 422, result);
      },
    });
    typedBySchemas(app).route({
      method: "POST",
      url: "/devices/:id/cancel",
      schema: {
        operationId: "cancelDeviceAction",
        params: deviceParameters,
        tags: ["devices"],
        summary: "Take back what a device is to do",
        description:
          "Asks the device, or with `force` ends its action at once. Its rollout does not offer it the release again.",
        body: cancelSchema,
        response: { 200: cancelledSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const entry = await findEntry(fleet, request.params.id);
        if (entry === null) return unknownDevice(fleet, reply, request.params.id);
        const status = await cancelAction(fleet, entry, request.body?.force ?? false);
        if (status === "gone") return unknownDevice(fleet, reply, request.params.id);
        if (status !== "no-action") return { status };
        const message = `${entry.id} has nothing to do; "sluice rollout cancel" ends a whole rollout`;
        return answerRefusal(reply, 409, { reason: "no-action", message });
      },
    });
    typedBySchemas(app).route({
      method: "DELETE",
      url: "/devices/:id",
      schema: {
        operationId: "removeDevice",
        params: deviceParameters,
        tags: ["devices"],
        summary: "Take a device out of the fleet",
        response: { 204: nothing, ...errorResponses },
      },
      handler: async (request, reply) => {
        const entry = await findEntry(fleet, request.params.id);
        if (entry === null) return unknownDevice(fleet, reply, request.params.id);
        if ((await removeDevice(fleet, entry)) === "gone")
          return unknownDevice(fleet, reply, request.params.id);
        return answerNothing(reply);
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/devices/:id/events",
      schema: {
        operationId: "listDeviceEvents",
        params: deviceParameters,
        tags: ["devices"],
        summary: "What a device told of itself, newest first",
        querystring: deviceEventsQuery,
        response: { 200: pageSchema(eventSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const entry = await findEntry(fleet, request.params.id);
        if (entry === null) return unknownDevice(fleet, reply, request.params.id);
        const { after, source = "device" } = request.query;
        const limit = pageLimit(request.query.limit);
        const rows = await listEventsOfDevice(fleet.database.queries, entry.id, {
          limit,
          before: after === undefined ? null : Number(after),
          sentByDevice: source === "device",
        });
        const cursorOf = ({ id }: StoredEvent): string => String(id);
        return answerPage(reply, { rows, limit, cursorOf, view: eventView, schema: eventSchema });
      },
    });
    typedBySchemas(app).route({
      method: "DELETE",
      url: "/devices/:id/refusals/:version",
      schema: {
        operationId: "clearRefusal",
        params: refusalParameters,
        tags: ["devices"],
        summary: "Let a device be offered a release again that it rolled back or failed",
        response: { 204: nothing, ...errorResponses },
      },
      handler: async (request, reply) => {
        const { id, version } = request.params;
        const entry = await findEntry(fleet, id);
        if (entry === null) return unknownDevice(fleet, reply, id);
        const release = fleet.memory.release(version);
        const result = release && (await clearRefusal(fleet, entry, release.id));
        if (result === "cleared") return answerNothing(reply);
        if (result === "gone") return unknownDevice(fleet, reply, id);
        const message = `device ${id} refuses nothing of release ${version}`;
        return answerRefusal(reply, 404, { reason: "nothing-to-clear", message });
      },
    });
  };
}

/** What memory knows goes before what was written: contacts reach the disk in batches. */
function deviceView(fleet: Fleet, stored: DeviceRow): DeviceAnswer {
  const entry = fleet.memory.devices.find(stored.id as DeviceId);
  const row = entry?.row ?? stored;
  const nextWake = entry === null ? wakeOfRow(row) : entry.nextWake;
  const running =
    row.running_hash === null
      ? null
      : {
          version: row.running_version ?? "",
          imageHash: row.running_hash,
          confirmed: row.running_confirmed === 1,
        };
  return {
    id: row.id,
    hardware: row.hardware,
    running,
    configurationVersion: row.configuration_version,
    region: row.region,
    timezone: row.timezone,
    connectivity: row.connectivity,
    criticality: row.criticality,
    bootloader: row.bootloader,
    battery: row.battery,
    signal: row.signal,
    state: row.state,
    reason: row.reason,
    stateAtUnixMs: row.state_at,
    lastSeenAtUnixMs: entry?.lastSeenAtUnixMs ?? row.last_seen_at,
    contact: contactOf(fleet, nextWake),
    nextWakeAtUnixMs: nextWake?.atUnixMs ?? null,
    createdAtUnixMs: row.created_at,
  };
}

async function detail(fleet: Fleet, entry: DeviceEntry): Promise<DeviceDetailAnswer> {
  const { queries } = fleet.database;
  const { memory } = fleet;
  const refusals = await listRefusals(queries, entry.id);
  const actions = await listActions(queries, entry.id, historyMax);
  const newest = { limit: historyMax, before: null, sentByDevice: false };
  const events = await listEventsOfDevice(queries, entry.id, newest);
  return {
    ...deviceView(fleet, entry.row),
    tags: await listLabels(queries, entry.id, "tag"),
    groups: await listLabels(queries, entry.id, "group"),
    attributes: await readAttributes(queries, entry.id),
    refusals: refusals.map(({ imageHash, releaseId, reason, atUnixMs }) => ({
      releaseVersion: memory.releases.get(releaseId)?.version ?? "",
      imageHash,
      reason,
      atUnixMs,
    })),
    actions: actions.map((action) => ({
      id: action.id,
      rolloutId: action.rollout_id,
      releaseVersion: memory.images.get(action.image_id)?.version ?? "",
      status: action.status,
      lastReport: action.last_report,
      createdAtUnixMs: action.created_at,
      changedAtUnixMs: action.changed_at,
    })),
    events: events.map(eventView),
  };
}

function explainRefused(added: Extract<AddedDevice, { ok: false }>, id: string): string {
  switch (added.reason) {
    case "device-exists":
      return `there is one with this id, whose token was told when it was added; choose another id, or remove that one first (sluice device remove ${id})`;
    case "spelled-otherwise":
      return `it is ${added.knownAs} in another spelling, which is in the fleet; use that id, or remove that device first (sluice device remove ${added.knownAs})`;
    case "too-many-devices":
      return "this server holds as many as it takes; remove what is gone (sluice device remove)";
    case "invalid-id":
      return "its id is none that a device can have; use letters, digits and . _ : -";
    case "weak-token":
      return added.message;
    default:
      return added satisfies never;
  }
}

async function unknownDevice(fleet: Fleet, reply: FastifyReply, id: string): Promise<FastifyReply> {
  const [knownAs] = await listSpelledOtherwise(fleet.database.queries, id);
  const nextStep =
    knownAs === undefined
      ? "register it first (sluice device add), or look for its id in the list of devices"
      : `${knownAs} is the same id in another spelling, by which it is registered: use that one`;
  return answerRefusal(reply, 404, {
    reason: "unknown-device",
    message: `there is no device ${id}: ${nextStep}`,
  });
}
