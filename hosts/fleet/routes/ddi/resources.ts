import type { FastifyReply, FastifyRequest } from "fastify";
import {
  receiveAttributes,
  receiveEvents,
  receiveInstalled,
} from "../../operations/device-data.ts";
import {
  type Feedback,
  type FeedbackResult,
  receiveCancelFeedback,
  receiveFeedback,
} from "../../operations/report.ts";
import { isEnd, isResult } from "../../rollout/member.ts";
import { type ActionRow, findAction, listReports } from "../../storage/actions.ts";
import { limits } from "../../terms/limits.ts";
import { answerEmpty } from "../requests/answers.ts";
import { answer, answerGone, answerProblem, problems, unknownAction } from "./answers.ts";
import { parseConfigData, parseEvents, parseFeedback, parseInstalled } from "./bodies.ts";
import { deploymentBody } from "./deployment-body.ts";
import {
  answerSlowly,
  type DeviceApiOptions,
  type DeviceResource,
  deviceOf,
  idAt,
  linkBase,
} from "./device-api.ts";
import { answerPoll } from "./poll.ts";

/** DDI v1 but for the artifacts and the confirmation, and the events of ours. */
export function deviceResources(options: DeviceApiOptions): readonly DeviceResource[] {
  const { fleet } = options;
  return [
    {
      path: "",
      methods: {
        GET: (request, reply) =>
          answerPoll(request, reply, deviceOf(request), {
            fleet,
            base: linkBase(request, options),
            pollSeconds: options.pollSeconds,
          }),
      },
    },
    {
      path: "/configData",
      methods: {
        PUT: async (request, reply) => {
          const data = parseConfigData(request.body);
          if (!data.ok) return answerProblem(request, reply, data.problem);
          const result = await receiveAttributes(fleet, deviceOf(request), data.value);
          if (result === "gone") return answerGone(reply);
          return result === "accepted"
            ? answerEmpty(reply, 200)
            : answerProblem(request, reply, problems.tooManyAttributes);
        },
      },
    },
    {
      path: "/deploymentBase/:actionId",
      methods: { GET: (request, reply) => answerDeployment(request, reply, options) },
    },
    {
      path: "/deploymentBase/:actionId/feedback",
      bodyBytesMax: limits.feedbackBodyBytesMax,
      takesResults: true,
      methods: {
        POST: (request, reply) =>
          takeFeedback(request, reply, options, {
            ends: ({ status }, execution) => status !== "confirming" && isEnd(execution),
            receive: (actionId, feedback) =>
              receiveFeedback(fleet, deviceOf(request), actionId, feedback),
          }),
      },
    },
    {
      path: "/cancelAction/:actionId",
      methods: { GET: (request, reply) => answerCancel(request, reply, options) },
    },
    {
      path: "/cancelAction/:actionId/feedback",
      bodyBytesMax: limits.feedbackBodyBytesMax,
      takesResults: true,
      methods: {
        POST: (request, reply) =>
          takeFeedback(request, reply, options, {
            ends: ({ status }, execution) => status === "canceling" && isResult(execution),
            receive: (actionId, feedback) =>
              receiveCancelFeedback(fleet, deviceOf(request), actionId, feedback),
          }),
      },
    },
    {
      path: "/installedBase",
      methods: {
        PUT: async (request, reply) => {
          const installed = parseInstalled(request.body);
          if (installed === null) return answerProblem(request, reply, problems.notReadable);
          const result = await receiveInstalled(fleet, deviceOf(request), installed);
          if (result === "gone") return answerGone(reply);
          return answerEmpty(reply, result === "new" ? 201 : 200);
        },
      },
    },
    {
      path: "/installedBase/:actionId",
      methods: { GET: (request, reply) => answerDeployment(request, reply, options) },
    },
    {
      path: "/events",
      methods: {
        POST: async (request, reply) => {
          const events = parseEvents(request.body);
          if (events === null) return answerProblem(request, reply, problems.notReadable);
          const result = await receiveEvents(fleet, deviceOf(request), events);
          return result === "gone" ? answerGone(reply) : answer(request, reply, result);
        },
      },
    },
  ];
}

/** Looks the action of the path up and answers for it when it is none of the device's. */
export async function withAction(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  work: (action: ActionRow) => Promise<FastifyReply> | FastifyReply,
): Promise<FastifyReply> {
  const actionId = idAt(request, "actionId");
  if (actionId === null) return answerProblem(request, reply, problems.notReadable);
  const device = deviceOf(request);
  const action =
    device.action?.id === actionId
      ? device.action
      : await findAction(options.fleet.database.queries, device.id, actionId);
  if (action === null) return answerProblem(request, reply, unknownAction(actionId));
  return work(action);
}

/** Maps what became of a report to the status that hawkBit answers. */
export function answerResult(
  request: FastifyRequest,
  reply: FastifyReply,
  actionId: number,
  result: FeedbackResult,
): FastifyReply {
  switch (result) {
    case "accepted":
      return answerEmpty(reply, 200);
    case "unknown-action":
      return answerProblem(request, reply, unknownAction(actionId));
    case "awaiting-confirmation":
      return answerEmpty(reply, 404);
    case "not-cancelable":
      return answerEmpty(reply, 405);
    case "action-closed":
      return answerEmpty(reply, 410);
    default:
      return result satisfies never;
  }
}

/**
 * Answers for actions that are over, too: what was installed can be looked up. An open one that is
 * offered no more is not shown.
 */
function answerDeployment(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
): Promise<FastifyReply> {
  return withAction(request, reply, options, async (action) => {
    const image = options.fleet.memory.images.get(action.image_id);
    const { instruction } = deviceOf(request);
    const isHidden = action.status === "open" && instruction.kind !== "install";
    if (image === undefined || isHidden) return answerEmpty(reply, 404);
    if (action.status === "canceling" || action.status === "confirming")
      return answerEmpty(reply, 404);
    const rollout = options.fleet.memory.rollouts.get(action.rollout_id);
    const windowOpen = instruction.kind === "install" ? instruction.windowOpen : null;
    const offer = { action, image, rollout, windowOpen };
    const body = deploymentBody(linkBase(request, options), offer, "deployment");
    const history = historyLength(request);
    if (history > 0) body["actionHistory"] = await historyOf(options, action, history);
    return answer(request, reply, body);
  });
}

function historyLength(request: FastifyRequest): number {
  const text = (request.query as Record<string, unknown>)["actionHistory"];
  if (typeof text !== "string" || !/^-?\d{1,9}$/.test(text)) return 0;
  const wanted = Number(text);
  // A negative number asks for all there is (DDI v1).
  return wanted < 0 ? limits.actionHistoryMax : Math.min(wanted, limits.actionHistoryMax);
}

async function historyOf(
  options: DeviceApiOptions,
  action: ActionRow,
  length: number,
): Promise<object> {
  const reports = await listReports(options.fleet.database.queries, action.id, length);
  const said = reports.flatMap(({ details }) => JSON.parse(details) as string[]);
  const rollout = options.fleet.memory.rollouts.get(action.rollout_id);
  const messages = [...said, `Assigned by rollout ${rollout?.name ?? action.rollout_id}`];
  const status = action.last_report === "" ? "RETRIEVED" : action.last_report.toUpperCase();
  return { status, messages: messages.slice(0, length) };
}

function answerCancel(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
): Promise<FastifyReply> {
  return withAction(request, reply, options, (action) => {
    if (action.status !== "canceling" && action.status !== "canceled")
      return answerEmpty(reply, 404);
    const id = String(action.id);
    return answer(request, reply, { id, cancelAction: { stopId: id } });
  });
}

interface TakenFeedback {
  /** Would a report of that execution end the action, or the question whether to? */
  ends(action: ActionRow, execution: string): boolean;
  receive(actionId: number, feedback: Feedback): Promise<FeedbackResult>;
}

async function takeFeedback(
  request: FastifyRequest,
  reply: FastifyReply,
  { fleet }: DeviceApiOptions,
  { ends, receive }: TakenFeedback,
): Promise<FastifyReply> {
  const actionId = idAt(request, "actionId");
  const feedback = parseFeedback(request.body);
  const device = deviceOf(request);
  const { action } = device;
  const execution = feedback.ok ? feedback.value.execution : null;
  const isEndOf = action?.id === actionId && execution !== null && ends(action, execution);
  if (isEndOf) fleet.paces.end(device);
  const waitSeconds = isEndOf ? 0 : fleet.paces.post(device);
  if (waitSeconds > 0) return answerSlowly(request, reply, waitSeconds);
  if (actionId === null) return answerProblem(request, reply, problems.notReadable);
  if (!feedback.ok) return answerProblem(request, reply, feedback.problem);
  return answerResult(request, reply, actionId, await receive(actionId, feedback.value));
}
