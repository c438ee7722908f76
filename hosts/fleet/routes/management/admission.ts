import type { FastifyInstance } from "fastify";
import { unlimited, wholeServer } from "../../admission/limits.ts";
import { changeLimits } from "../../operations/admission.ts";
import type { Fleet } from "../../operations/fleet.ts";
import { answerRefusal } from "../requests/answers.ts";
import { errorResponses } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { type AdmissionAnswer, admissionSchema, limitChangeSchema } from "./schemas/admission.ts";

/** How much is offered and downloaded at a time: of the whole server, and in each region. */
export function admissionRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "GET",
      url: "/admission",
      schema: {
        operationId: "showAdmission",
        tags: ["server"],
        summary: "Show what may be offered and downloaded at a time, and what is",
        response: { 200: admissionSchema, ...errorResponses },
      },
      handler: async () => admissionView(fleet),
    });
    typedBySchemas(app).route({
      method: "PATCH",
      url: "/admission",
      schema: {
        operationId: "limitAdmission",
        tags: ["server"],
        summary: "Limit what the server, or a region, offers and sends at a time",
        description: "What is absent stays; null takes a limit away.",
        body: limitChangeSchema,
        response: { 200: admissionSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const result = await changeLimits(fleet, request.body);
        return result.ok ? admissionView(fleet) : answerRefusal(reply, 403, result);
      },
    });
  };
}

function admissionView({ admission }: Fleet): AdmissionAnswer {
  const regions = new Set([wholeServer, ...admission.limits.keys()]);
  return {
    waiting: admission.waiting,
    limits: [...regions].map((region) => {
      const { offersLastMinute, downloads } = admission.usage(region);
      return {
        region: region === wholeServer ? null : region,
        ...(admission.limits.get(region) ?? unlimited),
        offersLastMinute,
        downloading: downloads,
      };
    }),
  };
}
