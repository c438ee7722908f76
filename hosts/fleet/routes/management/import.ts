import type { FastifyInstance } from "fastify";
import { parseFilter } from "../../filter/filter.ts";
import { type ExportedDevice, exportScan } from "../../operations/export-scan.ts";
import type { Fleet } from "../../operations/fleet.ts";
import { importDevices } from "../../operations/import.ts";
import type { FileForm } from "../../registry-file/records.ts";
import { limits } from "../../terms/limits.ts";
import { answerFilterDefect, answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import { errorResponses, pageSchema } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import {
  importedSchema,
  importQuery,
  type RegisteredAnswer,
  refusedImportSchema,
  registeredSchema,
  registryQuery,
} from "./schemas/import.ts";

const forms: Readonly<Record<string, FileForm>> = {
  "text/csv": "csv",
  "application/x-ndjson": "lines",
  "application/json": "array",
};

/** Files of devices: what an operator knows of many at once. */
export function importRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    // Another thread reads the bytes: this one would be held up by as much JSON.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      Object.keys(forms),
      { parseAs: "buffer", bodyLimit: limits.importBodyBytesMax },
      async (_: unknown, bytes: Buffer) => bytes,
    );
    typedBySchemas(app).route({
      method: "POST",
      url: "/registry",
      bodyLimit: limits.importBodyBytesMax,
      schema: {
        operationId: "importDevices",
        tags: ["devices"],
        summary: "Take a file of what you know of many devices, whole or not at all",
        description:
          "CSV with a header, JSON lines, or a JSON array, with the columns id, hardware, region, timezone, connectivity, " +
          "criticality, bootloader, tags and groups; see docs/device-files.md. Only `dryRun=false` changes anything.",
        consumes: Object.keys(forms),
        querystring: importQuery,
        response: { 200: importedSchema, 422: refusedImportSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
        const form = forms[type ?? ""];
        const { body } = request;
        if (form === undefined || !Buffer.isBuffer(body))
          return answerRefusal(reply, 415, {
            reason: "not-a-device-file",
            message: `send the file itself, as one of ${Object.keys(forms).join(", ")}`,
          });
        const { dryRun = "true", register = "false" } = request.query;
        const question = { bytes: new Uint8Array(body), form, register: register === "true" };
        const result = await importDevices(fleet, question, dryRun === "true");
        if (result.ok) return { applied: result.applied, ...result.counts };
        if (result.reason !== "file-invalid")
          return answerRefusal(reply, result.reason === "fleet-changed" ? 409 : 403, result);
        const { defects, count } = result;
        const [first] = defects;
        const where = first === undefined ? "" : `, the first in line ${first.line}: ${first.rule}`;
        return reply.code(422).send({
          error: "file-invalid",
          message: `nothing was changed: the file has ${count} defects${where}`,
          defects: [...defects],
          defectsCount: count,
        });
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/registry",
      schema: {
        operationId: "listRegistry",
        tags: ["devices"],
        summary: "List what an operator set of each device, as an import takes it",
        querystring: registryQuery,
        response: { 200: pageSchema(registeredSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const { limit: limitText, after = null, filter: text } = request.query;
        const limit = pageLimit(limitText);
        const parsed = text === undefined ? null : parseFilter(text);
        if (parsed !== null && !parsed.ok) return answerFilterDefect(reply, parsed.defect);
        const nowUnixMs = fleet.clock.unixMs();
        const filter = parsed === null ? {} : { filter: { wanted: parsed.value, nowUnixMs } };
        const question = { filter, page: { after, limit } };
        const rows = await fleet.scans.ask(fleet.database, exportScan, question);
        const cursorOf = ({ id }: ExportedDevice): string => id;
        return answerPage(reply, { rows, limit, cursorOf, view, schema: registeredSchema });
      },
    });
  };
}

function view({ id, hardware, fields, tags, groups }: ExportedDevice): RegisteredAnswer {
  const { region = null, timezone = null, connectivity = null } = fields;
  const { criticality = null, bootloader = null } = fields;
  return {
    id,
    hardware,
    region,
    timezone,
    connectivity,
    criticality,
    bootloader,
    tags: [...tags],
    groups: [...groups],
  };
}
