import { hash } from "node:crypto";
import { encode as encodeCbor } from "cborg";
import type { FastifyReply, FastifyRequest } from "fastify";
import { limits } from "../../terms/limits.ts";
import { answerEmpty } from "../requests/answers.ts";

const halJson = "application/hal+json";
const offered = [halJson, "application/json", "application/cbor"] as const;
const acceptCharactersMax = 512;

/**
 * The media type to answer with, or null when the client accepts none of ours (RFC 9110, 12.5.1).
 */
export function negotiate(accept: string | undefined): (typeof offered)[number] | null {
  if (accept === undefined || accept.trim() === "") return halJson;
  if (accept.length > acceptCharactersMax) return null;
  const ranges = accept
    .split(",")
    .map((part) => {
      const [range = "", ...parameters] = part.trim().toLowerCase().split(";");
      const q = parameters.map((text) => /^\s*q=([\d.]+)\s*$/.exec(text)?.[1]).find(Boolean);
      return { range: range.trim(), weight: q === undefined ? 1 : Number(q) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
  for (const { range } of ranges) {
    if (range === "*/*" || range === "application/*") return halJson;
    const exact = offered.find((type) => type === range);
    if (exact !== undefined) return exact;
  }
  return null;
}

/** Answers 200 with a body in the form that the client asked for, and an ETag of it. */
export function answer(request: FastifyRequest, reply: FastifyReply, body: object): FastifyReply {
  const type = negotiate(request.headers.accept);
  if (type === null) return notAcceptable(request, reply);
  if (type === "application/cbor") {
    const bytes = Buffer.from(encodeCbor(withoutAbsent(body)));
    return reply.header("etag", etagOf(bytes)).type("application/cbor;charset=UTF-8").send(bytes);
  }
  const text = JSON.stringify(body);
  return answerText(reply, { type, text, etag: etagOf(text) });
}

export function answerText(
  reply: FastifyReply,
  content: { readonly type: string; readonly text: string; readonly etag: string },
): FastifyReply {
  const { type, text, etag } = content;
  return reply.header("etag", etag).type(`${type};charset=UTF-8`).send(text);
}

/**
 * The device was removed since it was authenticated: its next request is refused in the same way.
 */
export function answerGone(reply: FastifyReply): FastifyReply {
  return answerEmpty(reply, 401);
}

export function notAcceptable(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header("accept", offered.join(", "));
  return answerProblem(request, reply, {
    status: 406,
    exceptionClass: "NotAcceptable",
    errorCode: "sluice.error.notAcceptable",
    message: `The Accept header names none of ${offered.join(", ")}`,
  });
}

export interface Problem {
  readonly status: number;
  readonly exceptionClass: string;
  readonly errorCode: string;
  readonly message: string;
  readonly info?: { readonly entityId: number; readonly type: string };
}

/** hawkBit's error codes where it has one, because clients know them. */
export const problems = {
  notReadable: {
    status: 400,
    exceptionClass: "MessageNotReadableException",
    errorCode: "hawkbit.server.error.rest.body.notReadable",
    message: "The given request body is not well formed",
  },
  tooManyAttributes: {
    status: 403,
    exceptionClass: "AssignmentQuotaExceededException",
    errorCode: "hawkbit.server.error.quota.tooManyEntries",
    message: "The device would have more attributes than the server keeps; remove some first",
  },
} as const satisfies Record<string, Problem>;

/** The message says what of the body is wrong, and what it may be. */
export function notReadable(message: string): Problem {
  return { ...problems.notReadable, message };
}

export function tooManyDetails(field: string, count: number): Problem {
  return {
    status: 403,
    exceptionClass: "AssignmentQuotaExceededException",
    errorCode: "hawkbit.server.error.quota.tooManyEntries",
    message: `${field} has ${count} entries: give at most ${limits.reportDetailsMax} in one feedback, the rest in the next`,
  };
}

export function tooManyPosts(waitSeconds: number, pace: string): Problem {
  return {
    status: 429,
    exceptionClass: "TooManyRequests",
    errorCode: "sluice.error.tooManyPosts",
    message: `This device posts more often than ${pace}: ask again in ${waitSeconds} s`,
  };
}

export function unknownAction(actionId: number): Problem {
  return {
    status: 404,
    exceptionClass: "EntityNotFoundException",
    errorCode: "hawkbit.server.error.repo.entityNotFound",
    message: `Action with given identifier {${actionId}} does not exist.`,
    info: { entityId: actionId, type: "Action" },
  };
}

export function unknownModule(moduleId: number, deviceId: string): Problem {
  return {
    status: 404,
    exceptionClass: "SoftwareModuleNotAssignedToTargetException",
    errorCode: "hawkbit.server.error.repo.entityNotFound",
    message: `No assignment found for SoftwareModule with id {${moduleId}} to Target with id {${deviceId}}.`,
  };
}

export function answerProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
): FastifyReply {
  const { status, ...body } = problem;
  const { accept } = request.headers;
  const isHal = accept !== undefined && negotiate(accept) === halJson;
  const type = isHal ? halJson : "application/json";
  return reply.code(status).type(`${type};charset=UTF-8`).send(JSON.stringify(body));
}

/** Quoted, and the same for the same bytes. */
export function etagOf(body: string | Uint8Array): string {
  return `"${hash("sha256", body, "hex").slice(0, 32)}"`;
}

/**
 * CBOR has no `undefined` that clients expect: absent fields are left out, as JSON.stringify does.
 */
function withoutAbsent(body: object): unknown {
  return JSON.parse(JSON.stringify(body));
}
