import type { FastifyInstance } from "fastify";
import { configurationBytesMax } from "../../../../src/config/configuration.ts";
import {
  type ConfigurationRefusal,
  configurationOf,
  publishConfiguration,
} from "../../operations/configurations.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { ConfigurationRelease } from "../../operations/releases.ts";
import { answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import {
  errorResponses,
  listQuery,
  numberPageQuery,
  pageSchema,
  pathParameter,
} from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import {
  type ConfigurationAnswer,
  configurationSchema,
  publishedConfigurationSchema,
} from "./schemas/configurations.ts";

/**
 * More than a device takes, so that a document that is a little too long is refused with the
 * numbers.
 */
const bodyBytesMax = 16 * configurationBytesMax;

/** Signed configuration documents: published, listed, and rolled out as releases are. */
export function configurationRoutes(fleet: Fleet, keys: readonly Uint8Array[]) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addContentTypeParser(
      "application/octet-stream",
      { parseAs: "buffer", bodyLimit: bodyBytesMax },
      async (_: unknown, bytes: Buffer) => bytes,
    );
    typedBySchemas(app).route({
      method: "POST",
      url: "/configurations",
      bodyLimit: bodyBytesMax,
      schema: {
        operationId: "publishConfiguration",
        tags: ["configurations"],
        summary: "Publish a signed configuration document",
        description:
          "The body is the signed document. Publishing the same bytes again changes nothing.",
        consumes: ["application/octet-stream"],
        response: {
          200: publishedConfigurationSchema,
          201: publishedConfigurationSchema,
          ...errorResponses,
        },
      },
      handler: async (request, reply) => {
        if (!Buffer.isBuffer(request.body))
          return answerRefusal(reply, 415, {
            reason: "not-octets",
            message: "send the signed document itself, as application/octet-stream",
          });
        const published = await publishConfiguration(fleet, keys, request.body);
        if (!published.ok) return answerRefusal(reply, statusOf(published.reason), published);
        const { release, created } = published;
        reply.code(created ? 201 : 200);
        return { ...configurationView(release), created };
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/configurations",
      schema: {
        operationId: "listConfigurations",
        tags: ["configurations"],
        summary: "List configuration documents, oldest first",
        querystring: listQuery(numberPageQuery),
        response: { 200: pageSchema(configurationSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const after = Number(request.query.after ?? 0);
        const rows = [...fleet.memory.releases.values()]
          .filter((release): release is ConfigurationRelease => release.kind === "configuration")
          .filter(({ id }) => id > after)
          .slice(0, limit);
        const cursorOf = ({ id }: ConfigurationRelease): string => String(id);
        const [view, schema] = [configurationView, configurationSchema];
        return answerPage(reply, { rows, limit, cursorOf, view, schema });
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/configurations/:version",
      schema: {
        operationId: "showConfiguration",
        params: pathParameter("version", { type: "string", maxLength: 32 }),
        tags: ["configurations"],
        summary: "Show a configuration document",
        response: { 200: configurationSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const { version } = request.params;
        const release = configurationOf(fleet, Number(version));
        if (release !== null) return configurationView(release);
        const message = `there is no configuration ${version}`;
        return answerRefusal(reply, 404, { reason: "unknown-configuration", message });
      },
    });
  };
}

function statusOf(reason: ConfigurationRefusal): number {
  if (reason === "version-taken" || reason === "no-configuration-keys") return 409;
  if (reason === "too-large") return 413;
  return reason === "too-many-releases" ? 403 : 422;
}

function configurationView({
  configurationVersion,
  createdAtUnixMs,
  images,
}: ConfigurationRelease): ConfigurationAnswer {
  const [file] = images;
  if (file === undefined) throw new Error(`configuration ${configurationVersion} has no file`);
  return {
    version: configurationVersion,
    fileHash: file.fileHash,
    sizeBytes: file.fileBytes,
    createdAtUnixMs,
  };
}
