import type { FastifyReply } from "fastify";
import type { FilterDefect } from "../../filter/syntax.ts";
import { limits } from "../../terms/limits.ts";
import { leaveTurn } from "../../time/slices.ts";
import type { TypeOf } from "./schema-types.ts";

/** Answers with a typed reason: one word for programs, one sentence for people. */
export function answerRefusal(
  reply: FastifyReply,
  status: number,
  refusal: { readonly reason: string; readonly message: string },
): FastifyReply {
  return reply.code(status).send({ error: refusal.reason, message: refusal.message });
}

/** Answers that it is done, as the schema `nothing` has it. */
export function answerNothing(reply: FastifyReply): FastifyReply {
  return reply.code(204).send();
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

/** A filter that cannot be read: where, and what would be. */
export function answerFilterDefect(
  reply: FastifyReply,
  { column, message }: FilterDefect,
): FastifyReply {
  const told = `the filter cannot be read, column ${column}: ${message}`;
  return answerRefusal(reply, 422, { reason: "filter-invalid", message: told });
}

export interface Page<T, S> {
  readonly rows: readonly T[];
  /** The number of rows that were asked for. */
  readonly limit: number;
  /** What `after` names this row by in the next request. */
  cursorOf(row: T): string;
  view(row: T): TypeOf<S> | Promise<TypeOf<S>>;
  /** The schema of one item. */
  readonly schema: S;
}

/**
 * Answers `{items, next}` as `pageSchema` has it; `next` is the cursor of the last item when there
 * may be more. Others have their turn between two items, however large each is.
 */
export async function answerPage<T, S extends { readonly [key: string]: unknown }>(
  reply: FastifyReply,
  { rows, limit, cursorOf, view, schema }: Page<T, S>,
): Promise<FastifyReply> {
  const items: string[] = [];
  for (const row of rows) {
    await leaveTurn();
    const item = (await view(row)) as Record<string, unknown>;
    items.push(String(reply.serializeInput(item, schema)));
  }
  const last = rows.at(-1);
  const next = last === undefined || rows.length < limit ? null : cursorOf(last);
  return reply
    .type("application/json; charset=utf-8")
    .send(`{"items":[${items.join(",")}],"next":${JSON.stringify(next)}}`);
}
