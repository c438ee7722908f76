import type { FastifyInstance } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import {
  applyPolicy,
  findPolicyNamed,
  type Policy,
  policyOfRow,
  presetPolicies,
} from "../../operations/policies.ts";
import { listPolicies } from "../../storage/policies.ts";
import { answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import {
  errorResponses,
  listQuery,
  numberPageQuery,
  pageSchema,
} from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { invalidRequest } from "./invalid-request.ts";
import {
  newPolicySchema,
  type PolicyAnswer,
  policyParameters,
  policyQuery,
  policySchema,
} from "./schemas/policies.ts";

/** Policies: how rollouts go and what stops them, by name and version. */
export function policyRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "PUT",
      url: "/policies/:name",
      attachValidation: true,
      schema: {
        operationId: "applyPolicy",
        tags: ["policies"],
        summary: "Keep a policy as the next version of its name",
        description:
          "The same document again changes nothing. What can never come to its end is refused (422).",
        params: policyParameters,
        body: newPolicySchema,
        response: { 200: policySchema, 201: policySchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const { validationError } = request;
        if (validationError !== undefined) {
          const { validation = [], validationContext } = validationError;
          const { message } = invalidRequest(validation, validationContext ?? "body");
          const isBody = validationContext === "body";
          const reason = isBody ? "policy-invalid" : "invalid-request";
          return answerRefusal(reply, isBody ? 422 : 400, { reason, message });
        }
        const { name, ...document } = request.body;
        if (name !== undefined && name !== request.params.name)
          return answerRefusal(reply, 422, {
            reason: "policy-invalid",
            message: `name: the document says ${name}, the path ${request.params.name}`,
          });
        const applied = await applyPolicy(fleet, request.params.name, document);
        if (!applied.ok) return answerRefusal(reply, statuses[applied.reason], applied);
        reply.code(applied.created ? 201 : 200);
        return policyView(applied.policy);
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/policies",
      schema: {
        operationId: "listPolicies",
        tags: ["policies"],
        summary:
          "List policies: presets, then every version in the order in which they were applied",
        querystring: listQuery(numberPageQuery),
        response: { 200: pageSchema(policySchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const after = Number(request.query.after ?? 0);
        const applied = await listPolicies(fleet.database.queries);
        const policies = [...presetPolicies(), ...applied.map(policyOfRow)];
        // A later version comes after all that are there, so that a place in the list stays.
        const rows = policies
          .map((policy, index) => ({ policy, place: index + 1 }))
          .slice(after, after + limit);
        return answerPage(reply, {
          rows,
          limit,
          cursorOf: ({ place }) => String(place),
          view: ({ policy }) => policyView(policy),
          schema: policySchema,
        });
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/policies/:name",
      schema: {
        operationId: "showPolicy",
        tags: ["policies"],
        summary: "Show a policy",
        params: policyParameters,
        querystring: policyQuery,
        response: { 200: policySchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const { name } = request.params;
        const version = request.query.version === undefined ? null : Number(request.query.version);
        const policy = await findPolicyNamed(fleet.database.queries, name, version);
        if (policy !== null) return policyView(policy);
        const which = version === null ? name : `${name} of version ${version}`;
        const message = `there is no policy ${which}`;
        return answerRefusal(reply, 404, { reason: "unknown-policy", message });
      },
    });
  };
}

const statuses = { "policy-invalid": 422, preset: 409, "too-many-policies": 403 } as const;

/** What an operator accepted is of one rollout: no policy says it, and none takes it. */
function policyView({ rules, ...policy }: Policy): PolicyAnswer {
  const { control, ...others } = rules;
  const { level, leastEffect } = control ?? {};
  return { ...policy, rules: { ...others, control: control && { level, leastEffect } } };
}
