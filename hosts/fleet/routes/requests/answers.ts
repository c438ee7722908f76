import type { FastifyReply } from "fastify";
import { limits } from "../../terms/limits.ts";

/** Answers with a typed reason: one word for programs, one sentence for people. */
export function answerRefusal(
  reply: FastifyReply,
  status: number,
  refusal: { readonly reason: string; readonly message: string },
): FastifyReply {
  return reply.code(status).send({ error: refusal.reason, message: refusal.message });
}

/** Answers with a status and no body, but with its length: SWUpdate loops without one. */
export function answerEmpty(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).header("content-length", "0").send();
}

const pageSizeDefault = 100;

/** The schema lets only digits through. */
export function pageLimit(text: string | undefined): number {
  if (text === undefined) return pageSizeDefault;
  return Math.min(Math.max(Number(text), 1), limits.pageSizeMax);
}

/** `next` is the cursor of the last item when there may be more. */
export function page<T>(
  items: readonly T[],
  limit: number,
  cursorOf: (item: T) => string,
): { items: readonly T[]; next: string | null } {
  const last = items.at(-1);
  return { items, next: last === undefined || items.length < limit ? null : cursorOf(last) };
}
