import type { FastifyInstance } from "fastify";
import type { SignedReleaseFacts } from "../../../../src/image/release-facts.ts";
import { formatVersion } from "../../../../src/image/version.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { PublishRules } from "../../operations/image-check.ts";
import { type PublishRefusal, publishImage } from "../../operations/publish.ts";
import type { FirmwareImage, FirmwareRelease } from "../../operations/releases.ts";
import { limits } from "../../terms/limits.ts";
import { answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import {
  errorResponses,
  listQuery,
  numberPageQuery,
  pageSchema,
  pathParameter,
  version,
} from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { publishedSchema, type ReleaseAnswer, releaseSchema } from "./schemas/releases.ts";

export function releaseRoutes(fleet: Fleet, rules: PublishRules) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addContentTypeParser(
      "application/octet-stream",
      { parseAs: "buffer", bodyLimit: limits.imageBytesMax },
      async (_: unknown, bytes: Buffer) => bytes,
    );
    typedBySchemas(app).route({
      method: "POST",
      url: "/releases/images",
      bodyLimit: limits.imageBytesMax,
      schema: {
        operationId: "publishImage",
        tags: ["releases"],
        summary: "Publish a signed image",
        description:
          "The body is the image itself. It joins the release of its version, which is created by its first image. " +
          "Publishing the same bytes again changes nothing.",
        consumes: ["application/octet-stream"],
        response: { 200: publishedSchema, 201: publishedSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        if (!Buffer.isBuffer(request.body))
          return answerRefusal(reply, 415, {
            reason: "not-octets",
            message: "send the image itself, as application/octet-stream",
          });
        const published = await publishImage(fleet, rules, request.body);
        if (!published.ok) return answerRefusal(reply, statusOf(published.reason), published);
        const { image, created, warnings } = published;
        reply.code(created ? 201 : 200);
        return { version: image.version, created, image: imageView(image), warnings };
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/releases",
      schema: {
        operationId: "listReleases",
        tags: ["releases"],
        summary: "List releases, oldest first",
        querystring: listQuery(numberPageQuery),
        response: { 200: pageSchema(releaseSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const after = Number(request.query.after ?? 0);
        const rows = [...fleet.memory.releases.values()]
          .filter((release): release is FirmwareRelease => release.kind === "firmware")
          .filter(({ id }) => id > after)
          .slice(0, limit);
        const cursorOf = ({ id }: FirmwareRelease): string => String(id);
        return answerPage(reply, {
          rows,
          limit,
          cursorOf,
          view: releaseView,
          schema: releaseSchema,
        });
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/releases/:version",
      schema: {
        operationId: "showRelease",
        params: pathParameter("version", version),
        tags: ["releases"],
        summary: "Show a release",
        response: { 200: releaseSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const { version } = request.params;
        const release = fleet.memory.release(version);
        if (release?.kind === "firmware") return releaseView(release);
        const message = `there is no release ${version}`;
        return answerRefusal(reply, 404, { reason: "unknown-release", message });
      },
    });
  };
}

function statusOf(reason: PublishRefusal): number {
  if (reason === "hardware-taken" || reason === "no-image-keys") return 409;
  if (reason === "too-large") return 413;
  return reason === "too-many-images" || reason === "too-many-releases" ? 403 : 422;
}

function releaseView(release: FirmwareRelease): ReleaseAnswer {
  const { version, createdAtUnixMs, images } = release;
  return { version, createdAtUnixMs, images: images.map(imageView) };
}

function imageView(image: FirmwareImage): ReleaseAnswer["images"][number] {
  const { hardware, imageHash, fileName, securityCounter, buildId, createdAtUnixMs } = image;
  const file = { fileHash: image.fileHash, fileName, sizeBytes: image.fileBytes };
  const { release } = image;
  return {
    hardware,
    imageHash,
    ...file,
    securityCounter,
    buildId,
    createdAtUnixMs,
    facts: factsView(release),
  };
}

function factsView(release: SignedReleaseFacts): ReleaseAnswer["images"][number]["facts"] {
  const { bootloaderVersionMin, steppingStone } = release;
  return {
    ...release,
    bootloaderVersionMin: bootloaderVersionMin && formatVersion(bootloaderVersionMin),
    steppingStone: steppingStone && formatVersion(steppingStone),
  };
}
