import validators from "@fastify/ajv-compiler";
import serializers from "@fastify/fast-json-stringify-compiler";
import type { FastifyServerOptions } from "fastify";

/** All routes have fewer than 200 schemas; beyond this bound everything is compiled anew. */
const compiledMax = 1000;
// biome-ignore lint/suspicious/noExplicitAny: functions of any shape, each behind its own key
type Loose = any;
const compiled = new Map<string, Loose>();

/**
 * Fastify's own compilers, which remember what they compiled: a server that starts again in the
 * same process has the same schemas, and compiling them is much of what its start costs.
 */
export const sharedCompilers: NonNullable<
  NonNullable<FastifyServerOptions["schemaController"]>["compilersFactory"]
> = {
  buildValidator: remembering(validators()),
  buildSerializer: remembering(serializers()),
};

function remembering<Build extends (...of: Loose[]) => (wanted: Loose) => unknown>(
  build: Build,
): Build {
  const kind = build.name;
  const remembered = (...of: Loose[]) => {
    const compile = build(...of);
    const builder = JSON.stringify([kind, of]);
    return (wanted: Loose) => {
      const key = `${builder}\n${JSON.stringify(wanted.schema)}`;
      const known = compiled.get(key);
      if (known !== undefined) return known;
      const made = compile(wanted);
      if (compiled.size >= compiledMax) compiled.clear();
      compiled.set(key, made);
      return made;
    };
  };
  return remembered as Build;
}
