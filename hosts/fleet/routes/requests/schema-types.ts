import type { FastifyInstance, FastifyTypeProvider } from "fastify";
import type { FromSchema, JSONSchema } from "json-schema-to-ts";

/**
 * The type of all values that a JSON schema lets through, read-only, with the named members. A
 * schema that is no literal any more, for want of `as const`, lets nothing through.
 */
export type TypeOf<S> = S extends JSONSchema
  ? Named<FromSchema<S>>
  : S extends object
    ? never
    : unknown;

/** Fastify derives queries, parameters, bodies and answers of a route from the route's schemas. */
interface SchemaTypes extends FastifyTypeProvider {
  readonly validator: TypeOf<this["schema"]>;
  readonly serializer: TypeOf<this["schema"]>;
}

export function typedBySchemas(app: FastifyInstance) {
  return app.withTypeProvider<SchemaTypes>();
}

/**
 * A schema that names members lets others through as well. The type has the named ones only, so
 * that a misspelt member fails the compiler.
 */
type Named<T> = T extends readonly (infer Item)[]
  ? readonly Named<Item>[]
  : T extends object
    ? { readonly [Name in keyof T as KnownName<T, Name>]: Named<T[Name]> }
    : T;

type KnownName<T, Name extends keyof T> = string extends Name
  ? HasNames<T> extends true
    ? never
    : Name
  : Name;

type HasNames<T> = keyof {
  [Name in keyof T as string extends Name ? never : Name]: 1;
} extends never
  ? false
  : true;
