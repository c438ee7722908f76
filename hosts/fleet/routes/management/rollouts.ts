import type { FastifyInstance, FastifyReply } from "fastify";
import type { JsonObject } from "../../../../src/protocol/json.ts";
import { releaseNameOf } from "../../operations/configurations.ts";
import { clearRollout } from "../../operations/devices.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { Rollout } from "../../operations/memory.ts";
import {
  advanceRollout,
  cancelRollout,
  createRollout,
  type NewRollout,
  pauseRollout,
  type RolloutRefusal,
  type RolloutResult,
  resumeRollout,
  startRollout,
} from "../../operations/rollouts.ts";
import { type ControlSettings, defaultControl } from "../../rollout/control-metrics.ts";
import {
  defaultActionSeconds,
  defaultCancelSeconds,
  defaultHaltThreshold,
  defaultProofSeconds,
  defaultStages,
  defaultStragglers,
} from "../../rollout/definition.ts";
import { opensAt, readInstallWindows } from "../../rollout/install-windows.ts";
import { type OfferRate, offersPerMinuteMax, whyNoRate } from "../../rollout/rate.ts";
import { attemptedCount, membersCount } from "../../rollout/stage.ts";
import {
  countsOf,
  listMembers,
  listOutcomes,
  listStages,
  type MemberRow,
} from "../../storage/rollouts.ts";
import { limits } from "../../terms/limits.ts";
import { answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import {
  errorResponses,
  listQuery,
  numberPageQuery,
  pageSchema,
} from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import {
  clearedSchema,
  type MemberAnswer,
  memberSchema,
  membersQuery,
  type NewRolloutBody,
  newRolloutForms,
  newRolloutSchema,
  type RolloutAnswer,
  resumeSchema,
  rolloutParameters,
  rolloutSchema,
} from "./schemas/rollouts.ts";

export function rolloutRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "POST",
      url: "/rollouts",
      config: { documentedBody: newRolloutForms() },
      schema: {
        operationId: "createRollout",
        tags: ["rollouts"],
        summary: "Plan a rollout, and start it when asked to",
        body: newRolloutSchema,
        response: { 201: rolloutSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const read = readNewRollout(request.body);
        if (!read.ok) return answerRefusal(reply, read.status, read);
        const { wanted } = read;
        return answerResult(fleet, reply, await createRollout(fleet, wanted), 201);
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/rollouts",
      schema: {
        operationId: "listRollouts",
        tags: ["rollouts"],
        summary: "List rollouts, newest first",
        querystring: listQuery(numberPageQuery),
        response: { 200: pageSchema(rolloutSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const before = Number(request.query.after ?? Number.MAX_SAFE_INTEGER);
        const rows = [...fleet.memory.rollouts.values()]
          .filter(({ id }) => id < before)
          .sort((a, b) => b.id - a.id)
          .slice(0, limit);
        const cursorOf = ({ id }: Rollout): string => String(id);
        const view = (rollout: Rollout) => rolloutView(fleet, rollout);
        return answerPage(reply, { rows, limit, cursorOf, view, schema: rolloutSchema });
      },
    });
    oneRollout(app, fleet);
    changes(app, fleet);
  };
}

function oneRollout(app: FastifyInstance, fleet: Fleet): void {
  typedBySchemas(app).route({
    method: "GET",
    url: "/rollouts/:id",
    schema: {
      operationId: "showRollout",
      tags: ["rollouts"],
      summary: "Show a rollout with the counters of its stages",
      params: rolloutParameters,
      response: { 200: rolloutSchema, ...errorResponses },
    },
    handler: async (request, reply) => {
      const rollout = fleet.memory.rollouts.get(Number(request.params.id));
      if (rollout === undefined) return unknownRollout(reply, request.params.id);
      const { queries } = fleet.database;
      const outcomes = await listOutcomes(queries, rollout.id, limits.outcomesShownMax);
      return { ...(await rolloutView(fleet, rollout)), outcomes };
    },
  });
  typedBySchemas(app).route({
    method: "GET",
    url: "/rollouts/:id/devices",
    schema: {
      operationId: "listRolloutDevices",
      tags: ["rollouts"],
      summary: "List the devices of a rollout",
      params: rolloutParameters,
      querystring: membersQuery,
      response: { 200: pageSchema(memberSchema), ...errorResponses },
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      if (!fleet.memory.rollouts.has(id)) return unknownRollout(reply, request.params.id);
      const limit = pageLimit(request.query.limit);
      const { after = "", state = null } = request.query;
      const rows = await listMembers(fleet.database.queries, id, { after, limit, state });
      const cursorOf = (row: MemberRow): string => row.device_id;
      return answerPage(reply, { rows, limit, cursorOf, view: memberView, schema: memberSchema });
    },
  });
}

function memberView(row: MemberRow): MemberAnswer {
  return {
    deviceId: row.device_id,
    stage: row.stage,
    state: row.state,
    reason: row.reason,
    changedAtUnixMs: row.changed_at,
  };
}

function changes(app: FastifyInstance, fleet: Fleet): void {
  const simple = {
    start: { summary: "Open the first stage", run: startRollout },
    pause: { summary: "Offer the release to nobody else for now", run: pauseRollout },
    cancel: { summary: "End the rollout and take open actions back", run: cancelRollout },
    advance: { summary: "Go on from a stage whose members are all gone", run: advanceRollout },
  } as const;
  for (const [name, { summary, run }] of Object.entries(simple))
    typedBySchemas(app).route({
      method: "POST",
      url: `/rollouts/:id/${name}`,
      schema: {
        operationId: `${name}Rollout`,
        tags: ["rollouts"],
        summary,
        params: rolloutParameters,
        response: { 200: rolloutSchema, ...errorResponses },
      },
      handler: async (request, reply) =>
        answerResult(fleet, reply, await run(fleet, Number(request.params.id)), 200),
    });
  typedBySchemas(app).route({
    method: "POST",
    url: "/rollouts/:id/clear",
    schema: {
      operationId: "clearRollout",
      tags: ["rollouts"],
      summary: "Let the devices that went back or failed take the release again",
      description: "Clears a part of them when there are many; `more` says to ask again.",
      params: rolloutParameters,
      response: { 200: clearedSchema, ...errorResponses },
    },
    handler: async (request, reply) => {
      const rollout = fleet.memory.rollouts.get(Number(request.params.id));
      return rollout === undefined
        ? unknownRollout(reply, request.params.id)
        : clearRollout(fleet, rollout);
    },
  });
  typedBySchemas(app).route({
    method: "POST",
    url: "/rollouts/:id/resume",
    schema: {
      operationId: "resumeRollout",
      tags: ["rollouts"],
      summary: "Go on with a paused rollout, or with a halted one under a new threshold",
      params: rolloutParameters,
      body: resumeSchema,
      response: { 200: rolloutSchema, ...errorResponses },
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      const wanted = request.body?.haltThreshold;
      const before = fleet.memory.rollouts.get(id)?.definition.halt ?? defaultHaltThreshold;
      const threshold = wanted === undefined ? null : { ...before, ...wanted };
      return answerResult(fleet, reply, await resumeRollout(fleet, id, threshold), 200);
    },
  });
}

/** What a body asks for, whose schema cannot say all of it. */
export function readNewRollout(body: NewRolloutBody):
  | { readonly ok: true; readonly wanted: NewRollout }
  | {
      readonly ok: false;
      readonly status: 400 | 422;
      readonly reason: string;
      readonly message: string;
    } {
  const { releaseVersion, configurationVersion } = body;
  const refuse = (reason: string, message: string, status: 400 | 422 = 400) =>
    ({ ok: false, status, reason, message }) as const;
  if ((releaseVersion === undefined) === (configurationVersion === undefined))
    return refuse("invalid-request", "give either releaseVersion or configurationVersion");
  const windowsDocument = windowsOf(body);
  const windows = readInstallWindows(windowsDocument ?? {});
  if (windowsDocument !== null && !windows.ok) return refuse("windows-invalid", windows.message);
  const rateProblem = whyNoRate(rateOf(body));
  if (rateProblem !== null) return refuse("rate-invalid", rateProblem, 422);
  const version = releaseVersion ?? releaseNameOf(configurationVersion ?? 0);
  return { ok: true, wanted: wantedOf(body, version) };
}

function wantedOf(body: NewRolloutBody, releaseVersion: string): NewRollout {
  return {
    name: body.name,
    releaseVersion,
    stages: body.stages ?? defaultStages,
    start: body.start ?? false,
    beside: body.beside ?? false,
    leaveBehind: body.leaveBehind ?? false,
    definition: {
      selector: body.selector ?? {},
      halt: { ...defaultHaltThreshold, ...body.haltThreshold },
      stragglers: { ...defaultStragglers, ...body.stragglers },
      proofSeconds: body.proofSeconds ?? defaultProofSeconds,
      actionSeconds: body.actionSeconds ?? defaultActionSeconds,
      cancelSeconds: body.cancelSeconds ?? defaultCancelSeconds,
      rate: rateOf(body),
      control: controlOf(body),
      imageIds: null,
      stepImageIdMax: null,
      mode: body.mode ?? "forced",
      needsConfirmation: body.needsConfirmation ?? false,
      allowDowngrade: body.allowDowngrade ?? false,
      approved: body.approved ?? false,
      retryRolledBack: body.retryRolledBack ?? false,
      windows: windowsOf(body),
      acceptReported: body.acceptReported ?? false,
    },
  };
}

function controlOf({ control }: NewRolloutBody): ControlSettings | null {
  return control === null ? null : { ...defaultControl, ...control };
}

/** A rate that does not grow stays; one that does has an end all the same. */
function rateOf({ rate = null }: NewRolloutBody): OfferRate | null {
  if (rate === null) return null;
  const { offersPerMinute, growthPerHour = 1 } = rate;
  const highest = growthPerHour === 1 ? offersPerMinute : offersPerMinuteMax;
  return {
    offersPerMinute,
    growthPerHour,
    offersPerMinuteMax: rate.offersPerMinuteMax ?? highest,
  };
}

/** A body is JSON, which its schema does not say of what is in the document of the windows. */
function windowsOf({ windows = null }: NewRolloutBody): JsonObject | null {
  return windows as JsonObject | null;
}

const statuses: Readonly<Record<RolloutRefusal, number>> = {
  "unknown-release": 404,
  "unknown-rollout": 404,
  "stages-not-rising": 400,
  "filter-invalid": 422,
  "no-eligible-devices": 409,
  "strands-devices": 409,
  overlaps: 409,
  "spelled-otherwise": 409,
  "too-many-rollouts": 403,
  "wrong-state": 409,
  "over-threshold": 409,
  "stage-not-empty": 409,
};

async function answerResult(
  fleet: Fleet,
  reply: FastifyReply,
  result: RolloutResult,
  status: number,
): Promise<RolloutAnswer | FastifyReply> {
  if (!result.ok) return answerRefusal(reply, statuses[result.reason], result);
  reply.code(status);
  return rolloutView(fleet, result.rollout);
}

async function rolloutView(fleet: Fleet, rollout: Rollout): Promise<RolloutAnswer> {
  const rows = await listStages(fleet.database.queries, rollout.id);
  const { cutoffs: _, laterCutoffs: __, rateSinceMs: ___, releaseId, windows, ...shown } = rollout;
  const release = fleet.memory.releases.get(releaseId);
  return {
    ...shown,
    definition: { ...shown.definition },
    halt: shown.halt && { ...shown.halt },
    releaseVersion: release?.version ?? "",
    configurationVersion: release?.kind === "configuration" ? release.configurationVersion : null,
    windowOpensAtUnixMs: windows === null ? null : opensAt(windows, fleet.clock.unixMs()),
    stages: rows.map((row) => {
      const counts = countsOf(row);
      return {
        stage: row.stage,
        percent: row.percent,
        soakSeconds: row.soak_seconds,
        openedAtUnixMs: row.opened_at,
        settledAtUnixMs: row.settled_at,
        completedAtUnixMs: row.completed_at,
        members: membersCount(counts),
        joined: row.joined,
        attempted: attemptedCount(counts, rollout.definition),
        counts,
      };
    }),
  };
}

function unknownRollout(reply: FastifyReply, id: string): FastifyReply {
  return answerRefusal(reply, 404, {
    reason: "unknown-rollout",
    message: `there is no rollout ${id}`,
  });
}
