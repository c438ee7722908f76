import type { FastifyInstance, FastifyReply } from "fastify";
import {
  advanceRollout,
  approveStage,
  cancelRollout,
  pauseRollout,
  resumeRollout,
  startRollout,
} from "../../operations/change-rollout.ts";
import { clearRollout } from "../../operations/devices.ts";
import { progressOf } from "../../operations/evaluate.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { Rollout } from "../../operations/memory.ts";
import type { RolloutRefusal, RolloutResult } from "../../operations/rollout-result.ts";
import { windowsOutlook } from "../../operations/rollout-windows.ts";
import { createRollout } from "../../operations/rollouts.ts";
import { evaluateStage } from "../../rollout/stage.ts";
import { attemptedCount, membersCount } from "../../rollout/tally.ts";
import { nextOpeningOf } from "../../rollout/window-verdict.ts";
import { type DecisionRow, listDecisions } from "../../storage/decisions.ts";
import {
  listMembers,
  listOutcomes,
  listStages,
  type MemberRow,
  type StageRow,
  tallyOf,
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
import { readNewRollout } from "./new-rollout.ts";
import { approvalSchema, type DecisionAnswer, decisionSchema } from "./schemas/policies.ts";
import {
  clearedSchema,
  type MemberAnswer,
  memberSchema,
  membersQuery,
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
        const read = await readNewRollout(fleet, request.body);
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
      const windows = await windowsOutlook(fleet, rollout);
      return {
        ...(await rolloutView(fleet, rollout)),
        outcomes,
        windows: windows && { ...windows, groups: [...windows.groups] },
      };
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
  typedBySchemas(app).route({
    method: "GET",
    url: "/rollouts/:id/decisions",
    schema: {
      operationId: "listRolloutDecisions",
      tags: ["rollouts"],
      summary: "List what was decided about a rollout, oldest first, with the arithmetic",
      params: rolloutParameters,
      querystring: listQuery(numberPageQuery),
      response: { 200: pageSchema(decisionSchema), ...errorResponses },
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      if (!fleet.memory.rollouts.has(id)) return unknownRollout(reply, request.params.id);
      const limit = pageLimit(request.query.limit);
      const after = Number(request.query.after ?? 0);
      const rows = await listDecisions(fleet.database.queries, id, { after, limit });
      const cursorOf = (row: DecisionRow): string => String(row.id);
      const [view, schema] = [decisionView, decisionSchema];
      return answerPage(reply, { rows, limit, cursorOf, view, schema });
    },
  });
}

function decisionView(row: DecisionRow): DecisionAnswer {
  const { id, stage, kind, sentence, at } = row;
  return { id, stage, kind, sentence, inputs: JSON.parse(row.inputs), atUnixMs: at };
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
    advance: { summary: "Go on from a stage that waits for an operator", run: advanceRollout },
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
    url: "/rollouts/:id/approve",
    schema: {
      operationId: "approveRollout",
      tags: ["rollouts"],
      summary: "Approve that the rollout goes on from its stage",
      description: "As many people as the policy asks for approve a stage; nobody counts twice.",
      params: rolloutParameters,
      body: approvalSchema,
      response: { 200: rolloutSchema, ...errorResponses },
    },
    handler: async (request, reply) => {
      const { approver } = request.body;
      const result = await approveStage(fleet, Number(request.params.id), approver);
      return answerResult(fleet, reply, result, 200);
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
      const threshold = request.body?.haltThreshold ?? null;
      return answerResult(fleet, reply, await resumeRollout(fleet, id, threshold), 200);
    },
  });
}

const statuses: Readonly<Record<RolloutRefusal, number>> = {
  "unknown-release": 404,
  "unknown-rollout": 404,
  "policy-invalid": 422,
  "stage-holds-nobody": 409,
  "filter-invalid": 422,
  "no-eligible-devices": 409,
  "strands-devices": 409,
  overlaps: 409,
  "spelled-otherwise": 409,
  "too-many-rollouts": 403,
  "wrong-state": 409,
  "over-threshold": 409,
  "stage-not-ready": 409,
  "needs-no-approval": 409,
  "approved-already": 409,
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
    policy: rollout.definition.policy,
    halt: shown.halt && { ...shown.halt },
    releaseVersion: release?.version ?? "",
    configurationVersion: release?.kind === "configuration" ? release.configurationVersion : null,
    windowOpensAtUnixMs: windows === null ? null : nextOpeningOf(windows, fleet.clock.unixMs()),
    stages: rows.map((row) => stageView(fleet, rollout, row)),
  };
}

function stageView(fleet: Fleet, rollout: Rollout, row: StageRow): RolloutAnswer["stages"][number] {
  const { counts, healthFailed, batteryDropped } = tallyOf(row);
  const plan = rollout.definition.stages[row.stage];
  const isCurrent = rollout.state === "running" && row.stage === rollout.currentStage;
  return {
    stage: row.stage,
    percent: row.percent,
    count: plan?.count ?? null,
    group: plan?.group ?? null,
    filter: plan?.filter ?? null,
    soakSeconds: row.soak_seconds,
    openedAtUnixMs: row.opened_at,
    settledAtUnixMs: row.settled_at,
    completedAtUnixMs: row.completed_at,
    waitsFor: isCurrent ? whatItWaitsFor(fleet, rollout, row) : null,
    members: membersCount(counts),
    joined: row.joined,
    attempted: attemptedCount(counts, rollout.definition),
    approvals: row.approvals,
    healthFailed,
    batteryDropped,
    counts,
  };
}

function whatItWaitsFor(fleet: Fleet, rollout: Rollout, row: StageRow): string | null {
  const serviceMs = fleet.time.nowMs();
  const progress = progressOf(rollout, row, serviceMs);
  const verdict = evaluateStage(progress, rollout.definition, serviceMs);
  return "waitsFor" in verdict ? verdict.waitsFor : null;
}

function unknownRollout(reply: FastifyReply, id: string): FastifyReply {
  return answerRefusal(reply, 404, {
    reason: "unknown-rollout",
    message: `there is no rollout ${id}`,
  });
}
