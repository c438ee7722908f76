import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { InjectOptions, LightMyRequestResponse } from "fastify";
import { createFleet, type FleetServer } from "../../../hosts/fleet/app.ts";
import type { FleetOptions } from "../../../hosts/fleet/options.ts";
import { encodePublicKey } from "../../../src/image/keys.ts";
import { type SignedReleaseFacts, unsignedReleaseFacts } from "../../../src/image/release-facts.ts";
import { parseVersion } from "../../../src/image/version.ts";
import { plainImage, type TlvValue, writeImage } from "../../../src/image/writer.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { DescribedAnswers } from "../../support/described-answers.ts";
import { testSigner } from "../../support/image-signer.ts";

export const imageSigner = testSigner(7);

export function publicKeyPem(signer: ReturnType<typeof testSigner>): string {
  const base64 = Buffer.from(encodePublicKey(signer.key)).toString("base64");
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
}

export interface ImageWishes {
  readonly version: string;
  readonly hardware?: string | null;
  readonly securityCounter?: number;
  readonly payloadBytes?: number;
  readonly signers?: ReadonlyArray<ReturnType<typeof testSigner>>;
  readonly fill?: number;
  readonly release?: Partial<SignedReleaseFacts>;
  readonly customTlvs?: readonly TlvValue[];
}

export const hardware = "esp32c3-b";

/** A signed image and its hash. */
export async function makeImage(
  wishes: ImageWishes,
): Promise<{ readonly bytes: Buffer; readonly imageHash: string }> {
  const version = parseVersion(wishes.version);
  assert.ok(version);
  const written = await writeImage(
    new Uint8Array(wishes.payloadBytes ?? 4096).fill(wishes.fill ?? 0x5a),
    {
      ...plainImage,
      version,
      securityCounter: wishes.securityCounter ?? 1,
      hardware: wishes.hardware === undefined ? hardware : wishes.hardware,
      buildId: Uint8Array.of(1, 2, 3),
      release: { ...unsignedReleaseFacts, ...wishes.release },
      customTlvs: wishes.customTlvs ?? [],
    },
    nobleCrypto,
    wishes.signers ?? [imageSigner],
  );
  assert.ok(written.ok);
  return {
    bytes: Buffer.from(written.image),
    imageHash: Buffer.from(written.imageHash).toString("hex"),
  };
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A server on a clock of its own, with an empty database in memory. */
export class TestFleet {
  nowUnixMs: number;
  readonly server: FleetServer;
  private described: DescribedAnswers | null = null;
  /** Times that somebody set the wall clock by, which nobody waited for. */
  private setMs = 0;
  private constructor(
    server: FleetServer,
    clock: { unixMs: () => number; monotonicMs: () => number },
    startUnixMs: number,
  ) {
    this.server = server;
    this.nowUnixMs = startUnixMs;
    clock.unixMs = () => this.nowUnixMs;
    clock.monotonicMs = () => this.nowUnixMs - this.setMs;
  }

  /** `laterSeconds`: how long after other servers this one starts. */
  static async open(
    context: TestContext,
    options: Partial<FleetOptions> = {},
    laterSeconds = 0,
  ): Promise<TestFleet> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
    const startUnixMs = 1_800_000_000_000 + laterSeconds * 1000;
    const clock = { unixMs: () => startUnixMs, monotonicMs: () => startUnixMs };
    const server = await createFleet({
      databaseFile: ":memory:",
      artifactsFolder: join(folder, "artifacts"),
      clock,
      imageKeys: [publicKeyPem(imageSigner)],
      gatewayToken: "gateway-token",
      publicUrls: ["http://fleet.test"],
      ...options,
    });
    context.after(async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    });
    return new TestFleet(server, clock, startUnixMs);
  }

  /** Every answer of the management API is compared with the OpenAPI document. */
  async inject(request: InjectOptions): Promise<LightMyRequestResponse> {
    const { app } = this.server;
    const answer = await app.inject({ headers: { host: "fleet.test" }, ...request });
    this.described ??= new DescribedAnswers(app);
    if (typeof request.url === "string")
      this.described.check(request.method ?? "GET", request.url, answer);
    return answer;
  }

  /** A call of the management API that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers by hand; wrong shapes fail their assertions
  async api(method: Method, path: string, body?: object): Promise<any> {
    const answer = await this.inject({
      method,
      url: `/api/v1${path}`,
      ...(body === undefined ? {} : { payload: body }),
    });
    assert.ok(answer.statusCode < 300, `${method} ${path}: ${answer.statusCode} ${answer.body}`);
    return answer.body === "" ? null : answer.json();
  }

  async publish(wishes: ImageWishes): Promise<string> {
    const { bytes, imageHash } = await makeImage(wishes);
    const answer = await this.publishBytes(bytes);
    assert.equal(answer.statusCode, 201, answer.body);
    return imageHash;
  }

  publishBytes(bytes: Uint8Array): Promise<LightMyRequestResponse> {
    return this.inject({
      method: "POST",
      url: "/api/v1/releases/images",
      headers: { "content-type": "application/octet-stream" },
      payload: Buffer.from(bytes),
    });
  }

  async addDevice(id: string, wantedHardware = hardware): Promise<TestDevice> {
    const { token } = await this.api("POST", "/devices", { id, hardware: wantedHardware });
    return new TestDevice(this, id, token);
  }

  async addDevices(count: number): Promise<TestDevice[]> {
    const devices: TestDevice[] = [];
    for (let index = 0; index < count; index++)
      devices.push(await this.addDevice(`device-${String(index).padStart(4, "0")}`));
    return devices;
  }

  /** Sets the wall clock ahead, or back; no time passes. */
  async step(seconds: number): Promise<void> {
    this.setMs += seconds * 1000;
    this.nowUnixMs += seconds * 1000;
    await this.server.tick();
  }

  /** Time passes. No time passes backwards: that sets the clock. */
  async wait(seconds: number): Promise<void> {
    if (seconds < 0) return this.step(seconds);
    this.nowUnixMs += seconds * 1000;
    await this.server.tick();
  }
}

/** A device as the wire sees it. */
export class TestDevice {
  readonly id: string;
  readonly token: string;
  /** `Sluice-Running`; null for a client that sends none. */
  running: string | null = null;
  private readonly fleet: TestFleet;

  constructor(fleet: TestFleet, id: string, token: string) {
    this.fleet = fleet;
    this.id = id;
    this.token = token;
  }

  runs(version: string, imageHash: string, state: "confirmed" | "trial" = "confirmed"): void {
    this.running = `${version};${imageHash};${state}`;
  }

  /** The same device at another server. */
  on(fleet: TestFleet): TestDevice {
    const device = new TestDevice(fleet, this.id, this.token);
    device.running = this.running;
    return device;
  }

  request(
    method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE",
    path: string,
    options: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<LightMyRequestResponse> {
    const isText = typeof options.body === "string";
    return this.fleet.inject({
      method,
      url: path.startsWith("/") ? path : `/DEFAULT/controller/v1/${this.id}${path && `/${path}`}`,
      headers: {
        host: "fleet.test",
        authorization: `TargetToken ${this.token}`,
        ...(this.running === null ? {} : { "sluice-running": this.running }),
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        ...options.headers,
      },
      ...(options.body === undefined
        ? {}
        : { payload: isText ? (options.body as string) : JSON.stringify(options.body) }),
    });
  }

  /** The links of a base poll, as paths. */
  async poll(): Promise<Record<string, string>> {
    const answer = await this.request("GET", "");
    assert.equal(answer.statusCode, 200, answer.body);
    const links: Record<string, { href: string }> = answer.json()._links ?? {};
    return Object.fromEntries(
      Object.entries(links).map(([name, { href }]) => [name, href.replace(/^http:\/\/[^/]+/, "")]),
    );
  }

  /** The id of the action that a base poll offers, or null. */
  async offered(): Promise<number | null> {
    const { deploymentBase } = await this.poll();
    const id = /deploymentBase\/(\d+)/.exec(deploymentBase ?? "")?.[1];
    return id === undefined ? null : Number(id);
  }

  async feedback(
    actionId: number,
    execution: string,
    finished: string,
    details: readonly string[] = [],
  ): Promise<number> {
    const body = { status: { execution, result: { finished }, details } };
    const answer = await this.request("POST", `deploymentBase/${actionId}/feedback`, { body });
    return answer.statusCode;
  }

  /** Takes an offered release in until its image runs on trial. */
  async installs(version: string, imageHash: string): Promise<number> {
    const actionId = await this.offered();
    assert.notEqual(actionId, null, `${this.id} is offered nothing`);
    await this.feedback(actionId ?? 0, "download", "none", ["state=downloading"]);
    await this.feedback(actionId ?? 0, "proceeding", "none", ["state=activating"]);
    this.runs(version, imageHash, "trial");
    await this.poll();
    return actionId ?? 0;
  }

  async updates(version: string, imageHash: string): Promise<void> {
    const actionId = await this.installs(version, imageHash);
    this.runs(version, imageHash, "confirmed");
    assert.equal(await this.feedback(actionId, "closed", "success", ["state=confirmed"]), 200);
  }

  async rollsBack(
    release: { version: string; imageHash: string },
    old: { version: string; imageHash: string },
    reason = "crashed",
  ): Promise<void> {
    const actionId = await this.installs(release.version, release.imageHash);
    this.runs(old.version, old.imageHash, "confirmed");
    const details = ["state=rolledBack", `reason=${reason}`];
    await this.feedback(actionId, "closed", "failure", details);
  }
}
