import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import type { FastifySchema } from "fastify";
import { codedBodyResponse } from "./requests/coded-bodies.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the document says of the body, where it says more than the server checks in one go. */
    readonly documentedBody?: object;
  }
}

const octets = "application/octet-stream";

/** What the document says of this server. */
export interface DescribedServer {
  readonly externalUrl: string | null;
  /** Null where nobody is asked for a token. */
  readonly adminTokenSha256: unknown;
}

/** The document of the management API, which is made of the routes' own schemas. */
export function openApi(settings: DescribedServer): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Sluice fleet",
        summary: "Releases, devices and rollouts",
        description: "Devices themselves speak hawkBit's DDI v1, which is not described here.",
        version: "1",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: settings.externalUrl ?? "/", description: "this server" }],
      tags: [
        { name: "releases", description: "Signed images, by version" },
        { name: "configurations", description: "Signed configuration documents" },
        { name: "devices", description: "What each device runs, and what it said" },
        { name: "rollouts", description: "Releases on their way to devices, stage by stage" },
        { name: "trust", description: "Signed metadata" },
        { name: "events", description: "What happened" },
        { name: "server", description: "The server itself" },
      ],
      components: {
        securitySchemes: {
          admin: { type: "http", scheme: "bearer", description: "the server's admin token" },
        },
      },
      security: settings.adminTokenSha256 === null ? [{}, { admin: [] }] : [{ admin: [] }],
    } as OpenApiDocument,
    transform: ({ schema, url, route }) => ({
      schema: documented(schema, route.config?.documentedBody),
      url,
    }),
  };
}

function documented(schema: FastifySchema, body: object | undefined): FastifySchema {
  const whole = withBody(schema, body);
  if (whole?.body === undefined) return whole;
  return { ...whole, response: { ...(whole.response as object), 415: codedBodyResponse } };
}

/**
 * Bytes are no JSON, so there is no schema that checks them; clients are told of them all the same.
 */
function withBody(schema: FastifySchema, body: object | undefined): FastifySchema {
  if (body !== undefined) return { ...schema, body };
  if (schema?.consumes?.includes(octets) !== true) return schema;
  return { ...schema, body: { type: "string", format: "binary" } };
}

type OpenApiDocument = NonNullable<FastifyDynamicSwaggerOptions["openapi"]>;
