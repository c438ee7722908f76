import type { FastifyInstance } from "fastify";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import type { Fleet } from "../../operations/fleet.ts";
import { addEvent } from "../../storage/events.ts";
import { limits } from "../../terms/limits.ts";
import type { FleetTrust } from "../../trust/fleet-trust.ts";
import { answerRefusal } from "../requests/answers.ts";
import { errorResponses, nothing } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import {
  missingSchema,
  newMetadataSchema,
  type TrustAnswer,
  targetQuery,
  trustSchema,
} from "./schemas/trust.ts";

/** Signed metadata: what is served, how long it is good for, and how it comes here. */
export function trustRoutes(fleet: Fleet, trust: FleetTrust) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addContentTypeParser(
      "application/octet-stream",
      { parseAs: "buffer", bodyLimit: limits.imageBytesMax },
      async (_: unknown, bytes: Buffer) => bytes,
    );
    typedBySchemas(app).route({
      method: "GET",
      url: "/trust",
      schema: {
        operationId: "showTrust",
        tags: ["trust"],
        summary: "Show the signed metadata and how long it is good for",
        response: { 200: trustSchema, ...errorResponses },
      },
      handler: () => trustView(trust),
    });
    addMetadataRoute(app, fleet, trust);
    addTargetRoute(app, fleet);
  };
}

function addMetadataRoute(app: FastifyInstance, fleet: Fleet, trust: FleetTrust): void {
  typedBySchemas(app).route({
    method: "POST",
    url: "/trust/metadata",
    bodyLimit: limits.metadataBodyBytesMax,
    schema: {
      operationId: "publishMetadata",
      tags: ["trust"],
      summary: "Publish metadata that the offline keys signed",
      description:
        "By file name, such as 2.root.json. All of it is taken or nothing: the server refuses what devices would refuse. " +
        "Files that targets name have to be here before.",
      body: newMetadataSchema,
      response: { 200: trustSchema, 409: missingSchema, ...errorResponses },
    },
    handler: async (request, reply) => {
      const { documents, lifeDays = {} } = request.body;
      const result = await trust.accept(documents, lifeDays, (sha256, bytes) =>
        fleet.artifacts.has(sha256 as DigestHex, bytes),
      );
      if (!result.ok) {
        const { reason, message, missing } = result;
        if (reason === "targets-missing")
          return reply.code(409).send({ error: reason, message, missing });
        return answerRefusal(reply, 422, { reason, message });
      }
      const names = result.documents.map(({ role, signed }) => `${role} ${signed.version}`);
      if (names.length > 0)
        await fleet.database.write(async ({ db, nowUnixMs }) => {
          await addEvent(db, { kind: "metadata-published", details: { names } }, nowUnixMs);
        });
      return trustView(trust);
    },
  });
}

function addTargetRoute(app: FastifyInstance, fleet: Fleet): void {
  typedBySchemas(app).route({
    method: "POST",
    url: "/trust/targets",
    bodyLimit: limits.imageBytesMax,
    schema: {
      operationId: "publishTarget",
      tags: ["trust"],
      summary: "Send a file that targets name",
      querystring: targetQuery,
      consumes: ["application/octet-stream"],
      response: { 204: nothing, ...errorResponses },
    },
    handler: async (request, reply) => {
      const { body } = request;
      if (!Buffer.isBuffer(body))
        return answerRefusal(reply, 415, {
          reason: "not-octets",
          message: "send the file itself, as application/octet-stream",
        });
      const artifact = await fleet.images.describe(body);
      const found = artifact.sha256;
      if (found !== request.query.sha256)
        return answerRefusal(reply, 422, {
          reason: "hash-mismatch",
          message: `the file has SHA-256 ${found}, not ${request.query.sha256}; send it again`,
        });
      await fleet.artifacts.store(body, artifact);
      return reply.code(204).send(null);
    },
  });
}

/** What the page and scripts see of the signed metadata. */
function trustView(trust: FleetTrust): TrustAnswer {
  return {
    ready: trust.hasRoot && trust.problem === null,
    problem: trust.problem,
    ahead: trust.ahead,
    roles: trust.expiries.map(({ expiresUnixMs, lifeLeftPercent, level, role, version }) => ({
      role,
      version,
      expiresAtUnixMs: expiresUnixMs,
      lifeLeftPercent,
      level,
    })),
    targets: trust.targets.size,
  };
}
