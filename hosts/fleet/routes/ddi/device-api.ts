import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isGone } from "../../operations/change-device.ts";
import { findEntry, noteContact } from "../../operations/contact.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { DeviceEntry } from "../../operations/known-devices.ts";
import { announceWake } from "../../operations/next-wake.ts";
import { type Fault, faultOf } from "../../terms/faults.ts";
import { limits } from "../../terms/limits.ts";
import { digitsOfId } from "../../terms/names.ts";
import { answerEmpty } from "../requests/answers.ts";
import { noteRight, noteWrong, pauseOf, type TokenSubject } from "../requests/attempts.ts";
import { CodedBodyError } from "../requests/coded-bodies.ts";
import { refuseOtherMethods } from "../requests/other-methods.ts";
import {
  answerGone,
  answerProblem,
  negotiate,
  type Problem,
  problems,
  tooManyPosts,
} from "./answers.ts";
import { authenticate, type DeviceAccess, type SpelledOtherwise } from "./authentication.ts";
import { readCbor } from "./cbor.ts";
import { type CertificateRules, judgeCertificate } from "./certificate.ts";
import type { LinkBase } from "./deployment-body.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler of the device API runs. */
    device: DeviceEntry | null;
  }
}

export interface DeviceApiOptions extends DeviceAccess {
  readonly fleet: Fleet;
  readonly pollSeconds: number;
  /** Null: links point to the Host that the device asked. */
  readonly externalUrl: string | null;
  /** Null: devices show no certificates. */
  readonly certificates: CertificateRules | null;
}

type Handler = (
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply> | FastifyReply;

/** One resource of a device, by method; other methods get 405. */
export interface DeviceResource {
  /** Behind `/{tenant}/controller/v1/{controllerId}`. */
  readonly path: string;
  /** 64 KiB when absent. */
  readonly bodyBytesMax?: number;
  /** The handler looks at the pace of the device itself, since what it takes may be a result. */
  readonly takesResults?: boolean;
  readonly methods: Readonly<Partial<Record<"GET" | "HEAD" | "POST" | "PUT", Handler>>>;
}

/**
 * The plugin that serves devices: authentication, the note of each contact, bodies, and errors of
 * DDI's form.
 */
export function deviceApi(
  options: DeviceApiOptions,
  resources: readonly DeviceResource[],
): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.decorateRequest("device", null);
    const refuseOthers = refuseOtherMethods(app, (request, reply) =>
      answerStatus(request, reply, options, 405, "Method Not Allowed"),
    );
    readBodies(app);
    answerErrors(app, options);
    app.addHook("onRequest", async (request, reply) => {
      if (options.externalUrl === null && !/^[A-Za-z0-9.:[\]_-]{1,255}$/.test(request.host))
        return answerProblem(request, reply, badHost);
      const { certificates, fleet } = options;
      const shown =
        certificates === null
          ? null
          : judgeCertificate(certificates, request, fleet.clock.unixMs());
      if (shown?.ok === false) return answerProblem(request, reply, shown.problem);
      const subject = subjectOf(request);
      const pauseSeconds = subject === null ? 0 : await pauseFor(options.fleet, request, subject);
      if (pauseSeconds > 0) return answerEmpty(reply.header("retry-after", pauseSeconds), 429);
      const entry = await authenticate(options.fleet, options, request, shown?.by ?? null);
      if (entry === null) {
        if (subject !== null) await noteWrong(options.fleet, request, subject);
        return answerEmpty(reply, 401);
      }
      const isHere = !("knownAs" in entry);
      if (subject !== null) noteRight(options.fleet, request, subject, isHere ? entry : null);
      if (!isHere) return answerProblem(request, reply, otherSpelling(entry));
      request.device = entry;
      const header = request.headers["sluice-running"];
      await noteContact(options.fleet, entry, typeof header === "string" ? header : null);
      const wake = request.headers["sluice-next-wake"];
      if (typeof wake === "string") announceWake(options.fleet, entry, wake.trim());
      return isGone(options.fleet, entry) ? answerGone(reply) : undefined;
    });
    for (const {
      path,
      methods,
      bodyBytesMax: bodyLimit = limits.deviceBodyBytesMax,
      takesResults = false,
    } of resources) {
      const url = `/:tenant/controller/v1/:deviceId${path}`;
      const answers = { ...methods, ...(methods.GET && { HEAD: methods.HEAD ?? methods.GET }) };
      for (const [method, handler] of Object.entries(answers))
        app.route({
          method,
          url,
          handler,
          bodyLimit,
          exposeHeadRoute: false,
          schema: { hide: true },
          ...(isPost(method) && !takesResults && { onRequest: slowDown }),
        });
    }
    refuseOthers();
  };

  /** Before the body is read. */
  async function slowDown(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const waitSeconds = options.fleet.paces.post(deviceOf(request));
    return waitSeconds === 0 ? undefined : answerSlowly(request, reply, waitSeconds);
  }
}

function isPost(method: string): boolean {
  return method === "POST" || method === "PUT";
}

export function answerSlowly(
  request: FastifyRequest,
  reply: FastifyReply,
  waitSeconds: number,
  pace = "once in 5 s for a long time",
): FastifyReply {
  reply.header("retry-after", waitSeconds);
  return answerProblem(request, reply, tooManyPosts(waitSeconds, pace));
}

/**
 * In how many seconds the token is looked at, for its subject and for the address that it comes
 * from.
 */
async function pauseFor(
  fleet: Fleet,
  request: FastifyRequest,
  subject: TokenSubject,
): Promise<number> {
  const pauseSeconds = pauseOf(fleet, request, subject);
  if (pauseSeconds > 0 || subject.kind !== "device-token-refused") return pauseSeconds;
  const { remoteAddress } = request.raw.socket;
  const waitSeconds = fleet.addresses.waitSeconds(remoteAddress);
  if (waitSeconds === 0) return 0;
  const { deviceId = "" } = request.params as Record<string, string>;
  const device = await findEntry(fleet, deviceId);
  return device?.knownFrom === fleet.addresses.mark(remoteAddress) ? 0 : waitSeconds;
}

function otherSpelling({ knownAs }: SpelledOtherwise): Problem {
  return {
    status: 403,
    exceptionClass: "RequestRefused",
    errorCode: "sluice.error.idSpelledOtherwise",
    message: `The device is registered as ${knownAs}: enrol it with its id in that spelling`,
  };
}

/** Each device for itself: one with an old token slows none of those behind the same address. */
function subjectOf({ headers, params }: FastifyRequest): TokenSubject | null {
  const { authorization } = headers;
  if (authorization === undefined) return null;
  if (/^GatewayToken/i.test(authorization))
    return { name: "gateway", kind: "gateway-token-refused" };
  const { deviceId = "" } = params as Record<string, string>;
  return {
    name: `device ${digitsOfId(deviceId) ?? deviceId.slice(0, 64)}`,
    kind: "device-token-refused",
  };
}

/** The device of a request that came past the authentication. */
export function deviceOf(request: FastifyRequest): DeviceEntry {
  if (request.device === null) throw new Error("a handler of the device API ran without a device");
  return request.device;
}

export function linkBase(request: FastifyRequest, options: DeviceApiOptions): LinkBase {
  const serverUrl = options.externalUrl ?? `${request.protocol}://${request.host}`;
  return { serverUrl, tenant: options.tenant, deviceId: deviceOf(request).id };
}

/**
 * An id in a path: a positive 32-bit integer, which is what SWUpdate's `int` can hold; null for any
 * other text.
 */
export function idAt(request: FastifyRequest, name: string): number | null {
  const text = (request.params as Record<string, string>)[name] ?? "";
  if (!/^[0-9]{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id >= 1 && id <= 0x7fffffff ? id : null;
}

function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const options = { parseAs: "buffer", bodyLimit: limits.deviceBodyBytesMax } as const;
  const read = (decode: (bytes: Buffer) => unknown) => async (_: FastifyRequest, bytes: Buffer) => {
    try {
      return decode(bytes);
    } catch {
      return unreadable; // every way in which bytes are no JSON or CBOR has the same answer
    }
  };
  // Some write the mark of UTF-8 before it, which a reader may pass over (RFC 8259, 8.1).
  const json = read((bytes) => JSON.parse(bytes.toString("utf8").replace(/^\ufeff/, "")));
  app.addContentTypeParser(["application/json", "application/hal+json"], options, json);
  app.addContentTypeParser("application/cbor", options, read(readCbor));
}

/** A body that could not be decoded: no parser of bodies accepts it. */
const unreadable = Symbol("unreadable body");

function answerErrors(app: FastifyInstance, options: DeviceApiOptions): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (error instanceof CodedBodyError)
      return answerProblem(request, reply, refusalOf(error, 415));
    if (error.statusCode === 415) {
      reply.header("accept", "application/json, application/cbor");
      return answerStatus(request, reply, options, 415, "Unsupported Media Type");
    }
    const status = error.statusCode ?? 500;
    if (status === 400) return answerProblem(request, reply, problems.notReadable);
    if (status === 413) return answerProblem(request, reply, tooLarge(request));
    if (status > 400 && status < 500)
      return answerProblem(request, reply, refusalOf(error, status));
    options.fleet.outages.noteFailure();
    const fault = error.statusCode === undefined ? faultOf(error) : null;
    if (fault !== null) {
      request.log.warn({ err: error }, fault.message);
      reply.header("retry-after", fault.retryAfterSeconds);
      return answerProblem(request, reply, faultProblem(fault));
    }
    request.log.error({ err: error }, "a device request failed");
    return answerProblem(request, reply, internalProblem);
  });
}

/** Links are made of it. */
const badHost: Problem = {
  status: 400,
  exceptionClass: "RequestRefused",
  errorCode: "sluice.error.badHost",
  message: "The Host header must name the server that was asked",
};

const internalProblem: Problem = {
  status: 500,
  exceptionClass: "InternalError",
  errorCode: "sluice.error.internal",
  message: "The server failed; its log has the cause",
};

function tooLarge(request: FastifyRequest): Problem {
  const length = request.headers["content-length"];
  const sent = length === undefined ? "more" : `${length} bytes`;
  return {
    status: 413,
    exceptionClass: "RequestRefused",
    errorCode: "sluice.error.bodyTooLarge",
    message: `The body has ${sent}: give at most ${request.routeOptions.bodyLimit} bytes`,
  };
}

/**
 * The problem of a fault in the server's surroundings: the device asks again. What exactly it is,
 * is for the operator.
 */
function faultProblem({ status, reason }: Fault): Problem {
  return {
    status,
    exceptionClass: "ServerUnavailable",
    errorCode: `sluice.error.${reason}`,
    message: `The server cannot do this now (${reason}); ask again later`,
  };
}

function refusalOf(error: Pick<FastifyError, "code" | "message">, status: number): Problem {
  return {
    status,
    exceptionClass: "RequestRefused",
    errorCode: `sluice.error.${error.code ?? "refused"}`,
    message: error.message,
  };
}

/** hawkBit's body of 405 and 415, which come from its framework. */
function answerStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  status: number,
  error: string,
): FastifyReply {
  const timestamp = new Date(options.fleet.clock.unixMs()).toISOString();
  const type = negotiate(request.headers.accept) ?? "application/hal+json";
  reply
    .code(status)
    .type(`${type === "application/cbor" ? "application/json" : type};charset=UTF-8`);
  return reply.send(JSON.stringify({ timestamp, status, error }));
}
