import assert from "node:assert/strict";
import type {} from "@fastify/swagger";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, Content>> }>
  >;
}

interface Content {
  readonly schema: object;
}

/** Of this process: its many servers describe their answers alike. */
const ajv = new Ajv2020({ strict: false });
const validators = new Map<string, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  const text = JSON.stringify(schema);
  const validate = validators.get(text) ?? ajv.compile(schema);
  validators.set(text, validate);
  return validate;
}

/** Compares answers of the management API with what its OpenAPI document says of them. */
export class DescribedAnswers {
  private readonly paths: ReadonlyArray<readonly [RegExp, Readonly<Record<string, Operation>>]>;

  constructor(app: FastifyInstance) {
    const { paths = {} } = app.swagger() as unknown as {
      paths?: Record<string, Record<string, Operation>>;
    };
    // A path without parameters goes before one that its text would fit too.
    const sorted = Object.entries(paths).sort(
      ([a], [b]) => a.split("{").length - b.split("{").length,
    );
    this.paths = sorted.map(([path, operations]) => [expressionOf(path), operations]);
  }

  /**
   * Fails for an answer that the document does not know, or describes otherwise; other paths pass.
   */
  check(method: string, url: string, answer: LightMyRequestResponse): void {
    const [path = ""] = url.split("?");
    const operations = this.paths.find(([expression]) => expression.test(path))?.[1];
    const operation = operations?.[method.toLowerCase()];
    if (operation === undefined || answer.body === "") return;
    const at = `${method} ${path}: ${answer.statusCode}`;
    const { responses } = operation;
    const status = String(answer.statusCode);
    const described = responses[status] ?? responses[`${status[0]}XX`];
    assert.ok(described, `${at} is not in the OpenAPI document`);
    const schema = described.content?.["application/json"]?.schema;
    assert.ok(schema, `${at} has a body, of which the OpenAPI document knows nothing`);
    const validate = validatorOf(schema);
    assert.ok(validate(answer.json()), `${at}: ${ajv.errorsText(validate.errors)}\n${answer.body}`);
  }
}

function expressionOf(path: string): RegExp {
  const escaped = path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]+\}/g, "[^/]+");
  return new RegExp(`^${escaped}$`);
}
