import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { decode as decodeCbor } from "cborg";
import type { LightMyRequestResponse } from "fastify";
import { skipWithoutVectors, vectorsDirectory } from "../../../../support/vectors.ts";
import { hardware, makeImage, TestFleet } from "../../test-fleet.ts";

/** Keys that our answers have and hawkBit's do not, with the reason. */
const extraKeys: Readonly<Record<string, string>> = {
  "chunks[].metadata": "carries the image hash, version, hardware, security counter and build id",
  "_links.download": "hawkBit leaves it out on plain HTTP; SWUpdate and our agent read it first",
  "_links.md5sum": "goes with `download`",
};

/** Steps whose answer has an ETag that hawkBit's has not: no client can be hurt by one. */
const extraEtags: readonly string[] = ["softwaremodule artifacts list"];

/** Steps whose answer is not of the recorded shape, with the reason. */
const exceptions: Readonly<Record<string, string>> = {
  "error: Accept text/html": "hawkBit's 406 is a web page; ours is the JSON of every other error",
};

interface Step {
  readonly step: string;
  readonly request: {
    readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
    readonly path: string;
    readonly headers: Readonly<Record<string, string | number>>;
    readonly body: unknown;
  };
  readonly response: {
    readonly status: number;
    readonly headers: ReadonlyArray<readonly [string, string]>;
    readonly bodyBytes: number;
    readonly body: unknown;
  };
}

const gatewayToken = "gw-bench-token";
/** The recorded device's token is shorter than those that we let an operator choose. */
const longer = (token: string): string => `${token}-and-longer`;
const recordedSha1 = "9c8bb157ad05a2c1632aca2c2ed724ac5c2f16a1";
const recordedFileBytes = 4096;

/** What an operator did between the recorded requests of the device, said through our own API. */
class Operator {
  readonly fleet: TestFleet;
  readonly deviceId: string;
  private releases = 0;
  private rolloutId = 0;
  fileName = "";
  sha1 = "";
  securityToken = "";

  constructor(fleet: TestFleet, deviceId: string) {
    this.fleet = fleet;
    this.deviceId = deviceId;
  }

  async before(step: string): Promise<void> {
    if (step === "base poll with 2nd deployment (soft)") await this.assign({ mode: "soft" });
    if (step === "base poll with 3rd deployment") await this.assign({});
    if (step === "base poll with confirmationBase") await this.assign({ needsConfirmation: true });
  }

  async perform(step: Step): Promise<void> {
    switch (step.step) {
      case "mgmt: create target": {
        const [target] = step.request.body as [{ controllerId: string; securityToken: string }];
        const { controllerId: id, securityToken } = target;
        await this.fleet.api("POST", "/devices", { id, hardware, token: longer(securityToken) });
        this.securityToken = securityToken;
        return;
      }
      case "mgmt: assign distribution set":
        return this.assign({});
      case "mgmt: cancel action":
        await this.fleet.api("POST", `/rollouts/${this.rolloutId}/cancel`);
        return;
      case "mgmt: enable confirmation flow":
        return; // with us a rollout asks for confirmation, not the whole server
      default:
        assert.fail(`no idea what an operator does for "${step.step}"`);
    }
  }

  private async assign(definition: object): Promise<void> {
    this.releases += 1;
    const version = `1.0.${this.releases}`;
    const published = await this.fleet.publishBytes(await imageOf(version, recordedFileBytes));
    this.fileName = published.json().image.fileName;
    const rollout = await this.fleet.api("POST", "/rollouts", {
      name: version,
      releaseVersion: version,
      selector: { devices: [this.deviceId] },
      stages: [{ percent: 100, soakSeconds: 0 }],
      haltThreshold: { rolledBackShare: 1, failedShare: 1 },
      start: true,
      ...definition,
    });
    this.rolloutId = rollout.id;
  }
}

async function imageOf(version: string, fileBytes: number): Promise<Buffer> {
  // The DER of a signature has 70 to 72 bytes, so the fitting payload is found by trying.
  let payloadBytes = fileBytes - 200;
  for (let fill = 0; fill < 20; fill++) {
    const { bytes } = await makeImage({ version, payloadBytes, fill });
    if (bytes.length === fileBytes) return bytes;
    payloadBytes += fileBytes - bytes.length;
  }
  return assert.fail(`no image of ${fileBytes} bytes`);
}

/** Puts our file name, SHA-1 and last ETag where the recording has hawkBit's. */
function translated(step: Step, operator: Operator, lastEtag: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(step.request.headers)) {
    if (name === "Content-Length") continue;
    headers[name.toLowerCase()] =
      name === "If-None-Match" && !step.step.includes("artifact")
        ? lastEtag
        : String(value)
            .replace(recordedSha1, operator.sha1)
            .replace(`TargetToken ${operator.securityToken}`, (found) => longer(found));
  }
  return headers;
}

function shapeOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => shapeOf(item, `${path}[]`));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, inner]) => shapeOf(inner, `${path}.${key}`));
  return [`${path}: ${typeof value}`];
}

function withoutExtras(shape: readonly string[]): string[] {
  const extras = Object.keys(extraKeys);
  const isExtra = (line: string): boolean =>
    extras.some((key) => new RegExp(`\\b${key.replace("[]", "\\[\\]")}[.:[]`).test(line));
  return [...new Set(shape.filter((line) => !isExtra(line)))].sort();
}

function assertSameAnswer(step: Step, answer: LightMyRequestResponse): void {
  const { response } = step;
  assert.equal(answer.statusCode, response.status, answer.body);
  const recorded = new Map(response.headers.map(([name, value]) => [name.toLowerCase(), value]));
  if (exceptions[step.step] !== undefined) return;
  for (const name of ["content-range", "accept-ranges"])
    assert.equal(answer.headers[name], recorded.get(name), name);
  // hawkBit answers HEAD wherever it answers GET, and does not say so.
  assert.equal(answer.headers.allow?.replace("GET, HEAD", "GET"), recorded.get("allow"), "allow");
  const type = recorded.get("content-type")?.split(";")[0];
  assert.equal(answer.headers["content-type"]?.split(";")[0], type, "content-type");
  if (!extraEtags.includes(step.step))
    assert.equal(answer.headers.etag !== undefined, recorded.has("etag"), "etag");
  if (response.status !== 304) assert.ok(answer.headers["content-length"], "content-length");
  if (typeof response.body === "object") {
    assert.deepEqual(withoutExtras(shapeOf(answer.json())), withoutExtras(shapeOf(response.body)));
  } else if (type === "application/cbor") {
    const expected = ["._links.configData.href: string", ".config.polling.sleep: string"];
    assert.deepEqual(shapeOf(decodeCbor(answer.rawPayload)).sort(), expected);
  } else if (type === "text/plain") {
    assert.match(answer.body, /^[0-9a-f]{32} {2}\S+$/);
  } else if (type !== "multipart/byteranges") {
    assert.equal(answer.rawPayload.length, response.bodyBytes, "bytes of the body");
  }
}

async function replay(context: TestContext): Promise<void> {
  const text = readFileSync(join(vectorsDirectory ?? "", "hawkbit", "conversation.json"), "utf8");
  const steps = JSON.parse(text) as [Step, ...Step[]];
  const [target] = steps[0].request.body as [{ controllerId: string }];
  const deviceId = target.controllerId;
  const fleet = await TestFleet.open(context, { gatewayToken });
  const operator = new Operator(fleet, deviceId);
  let lastEtag = "";
  for (const step of steps)
    await context.test(step.step, async () => {
      await operator.before(step.step);
      if (step.step.startsWith("mgmt:")) return operator.perform(step);
      const { method, path, body } = step.request;
      const answer = await fleet.inject({
        method,
        url: path.replace(/fw-\d\.bin/, operator.fileName),
        headers: translated(step, operator, lastEtag),
        ...(body === null
          ? {}
          : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      assertSameAnswer(step, answer);
      lastEtag = answer.headers.etag ?? lastEtag;
      const sha1 = /"sha1":"([0-9a-f]{40})"/.exec(answer.body)?.[1];
      if (sha1 !== undefined) operator.sha1 = sha1;
    });
}

test("answers a device's whole life as hawkBit does", { skip: skipWithoutVectors }, replay);
