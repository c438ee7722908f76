import type { FastifyReply, FastifyRequest } from "fastify";
import { receiveConfirmation, setAutoConfirm } from "../../operations/report.ts";
import { answerEmpty } from "../requests/answers.ts";
import { answer, answerGone, answerProblem, problems } from "./answers.ts";
import { parseAutoConfirm, parseConfirmation } from "./bodies.ts";
import { deploymentBody, deviceUrl } from "./deployment-body.ts";
import {
  type DeviceApiOptions,
  type DeviceResource,
  deviceOf,
  idAt,
  linkBase,
} from "./device-api.ts";
import { answerResult, withAction } from "./resources.ts";

/** DDI v1 `confirmationBase`: a device, or its user, agrees before an action opens. */
export function confirmationResources(options: DeviceApiOptions): readonly DeviceResource[] {
  const { fleet } = options;
  return [
    {
      path: "/confirmationBase",
      methods: {
        GET: (request, reply) => answer(request, reply, overview(request, options)),
      },
    },
    {
      path: "/confirmationBase/activateAutoConfirm",
      methods: {
        POST: async (request, reply) => {
          const consent = parseAutoConfirm(request.body);
          if (consent === null) return answerProblem(request, reply, problems.notReadable);
          const result = await setAutoConfirm(fleet, deviceOf(request), consent);
          return result === "gone" ? answerGone(reply) : answerEmpty(reply, 200);
        },
      },
    },
    {
      path: "/confirmationBase/deactivateAutoConfirm",
      methods: {
        POST: async (request, reply) => {
          const result = await setAutoConfirm(fleet, deviceOf(request), null);
          return result === "gone" ? answerGone(reply) : answerEmpty(reply, 200);
        },
      },
    },
    {
      path: "/confirmationBase/:actionId",
      methods: {
        GET: (request, reply) =>
          withAction(request, reply, options, (action) => {
            const image = fleet.memory.images.get(action.image_id);
            if (action.status !== "confirming" || image === undefined)
              return answerEmpty(reply, 404);
            const base = linkBase(request, options);
            const rollout = fleet.memory.rollouts.get(action.rollout_id);
            const offer = { action, image, rollout, windowOpen: null };
            return answer(request, reply, deploymentBody(base, offer, "confirmation"));
          }),
      },
    },
    {
      path: "/confirmationBase/:actionId/feedback",
      methods: { POST: (request, reply) => takeConfirmation(request, reply, options) },
    },
  ];
}

async function takeConfirmation(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
): Promise<FastifyReply> {
  const actionId = idAt(request, "actionId");
  const confirmation = parseConfirmation(request.body);
  if (actionId === null) return answerProblem(request, reply, problems.notReadable);
  if (!confirmation.ok) return answerProblem(request, reply, confirmation.problem);
  const result = await receiveConfirmation(
    options.fleet,
    deviceOf(request),
    actionId,
    confirmation.value,
  );
  return answerResult(request, reply, actionId, result);
}

function overview(request: FastifyRequest, options: DeviceApiOptions): object {
  const { row, instruction } = deviceOf(request);
  const url = `${deviceUrl(linkBase(request, options))}/confirmationBase`;
  const isActive = row.auto_confirm_at !== null;
  const toggle = isActive ? "deactivateAutoConfirm" : "activateAutoConfirm";
  return {
    autoConfirm: {
      active: isActive,
      ...(row.auto_confirm_initiator === null ? {} : { initiator: row.auto_confirm_initiator }),
      ...(row.auto_confirm_remark === null ? {} : { remark: row.auto_confirm_remark }),
      activatedAt: row.auto_confirm_at ?? 0,
    },
    _links: {
      [toggle]: { href: `${url}/${toggle}` },
      ...(instruction.kind === "confirm"
        ? { confirmationBase: { href: `${url}/${instruction.actionId}?c=${instruction.etag}` } }
        : {}),
    },
  };
}
