import { dirname, join } from "node:path";
import swagger from "@fastify/swagger";
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
} from "fastify";
import { destination } from "pino";
import { type FileLock, lockFile } from "../files/file-lock.ts";
import { printableLines } from "../text/terminal-text.ts";
import { AddressBudget } from "./access/address-budget.ts";
import { AttemptGuard } from "./access/attempts.ts";
import { serverTls } from "./access/tls-options.ts";
import { isSameDigest, openTokenKey, type TokenKey, tokenSha256 } from "./access/tokens.ts";
import { type ConnectionLimits, Connections, serverOptions } from "./connections.ts";
import { openAdmission } from "./operations/admission.ts";
import { Comparisons } from "./operations/comparisons.ts";
import { CounterDesk } from "./operations/counter-desk.ts";
import { forgetCounters } from "./operations/counters.ts";
import { DevicePaces } from "./operations/device-paces.ts";
import { type Fleet, loadMemory } from "./operations/fleet.ts";
import { ImageDesk } from "./operations/image-desk.ts";
import { Outages } from "./operations/outages.ts";
import { Readiness } from "./operations/readiness.ts";
import { ScanDesk } from "./operations/scan-desk.ts";
import { pruneStream, tickFleet, writeAllContacts } from "./operations/tick.ts";
import { type FleetOptions, type FleetSettings, readOptions } from "./options.ts";
import { defaultActionSeconds } from "./rollout/definition.ts";
import { artifactResources } from "./routes/ddi/artifacts.ts";
import { certificateRules } from "./routes/ddi/certificate.ts";
import { confirmationResources } from "./routes/ddi/confirmation.ts";
import { counterResources } from "./routes/ddi/counters.ts";
import { deviceApi } from "./routes/ddi/device-api.ts";
import { directorResources } from "./routes/ddi/director.ts";
import { deviceResources } from "./routes/ddi/resources.ts";
import { tufRoutes } from "./routes/files/tuf.ts";
import { admissionRoutes } from "./routes/management/admission.ts";
import { configurationRoutes } from "./routes/management/configurations.ts";
import { counterRoutes } from "./routes/management/counters.ts";
import { deviceRoutes } from "./routes/management/devices.ts";
import { eventRoutes } from "./routes/management/events.ts";
import { importRoutes } from "./routes/management/import.ts";
import { invalidRequest } from "./routes/management/invalid-request.ts";
import { policyRoutes } from "./routes/management/policies.ts";
import { previewRoutes } from "./routes/management/preview.ts";
import { refuseUnknownParameters } from "./routes/management/query.ts";
import { releaseRoutes } from "./routes/management/releases.ts";
import { rolloutRoutes } from "./routes/management/rollouts.ts";
import { serverRoutes } from "./routes/management/server.ts";
import { trustRoutes } from "./routes/management/trust.ts";
import { windowRoutes } from "./routes/management/windows.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { openApi } from "./routes/open-api.ts";
import { pageRoutes } from "./routes/page.ts";
import { probeRoutes, readyRoutes } from "./routes/ready.ts";
import { noteRight, noteWrong, pauseOf, pauseText } from "./routes/requests/attempts.ts";
import { guardAgainstSites } from "./routes/requests/browser-guard.ts";
import { refuseCodedBodies } from "./routes/requests/coded-bodies.ts";
import { refuseOtherMethods } from "./routes/requests/other-methods.ts";
import { sharedCompilers } from "./schema-compilers.ts";
import { Stop } from "./stop.ts";
import { ArtifactFolder, removeFrom } from "./storage/artifacts.ts";
import { FleetDatabase } from "./storage/database.ts";
import { hasTokenMacs } from "./storage/devices.ts";
import { publishedVersions } from "./storage/events.ts";
import { readAlive } from "./storage/outages.ts";
import { setMissingDues } from "./storage/rollouts.ts";
import { ServedMark } from "./storage/served-mark.ts";
import { DatabaseRefusedError } from "./storage/sqlite/database-check.ts";
import { readFileMark, writeFileMark } from "./storage/sqlite/statements.ts";
import { faultOf } from "./terms/faults.ts";
import { limits } from "./terms/limits.ts";
import { ServiceTime } from "./time/service-time.ts";
import { DirectorTimes } from "./trust/director-times.ts";
import { FleetTrust } from "./trust/fleet-trust.ts";
import { tellNotices } from "./trust/notices.ts";

export interface FleetServer {
  readonly app: FastifyInstance;
  /**
   * Lets rollouts go on as far as the clock says, and writes what only memory knew. Ticks run one
   * after another.
   */
  tick(): Promise<void>;
  /** Writes everything down and closes the database. */
  close(): Promise<void>;
}

const logWaitingBytesMax = 4 * 1024 * 1024;
/** Events are counted down to their bound once in this many ticks. */
const ticksPerPrune = 8;

/** Builds the server over its database and folder; the caller listens, or injects requests. */
export async function createFleet(options: FleetOptions): Promise<FleetServer> {
  // Clocks of simulations and of processes have fractions; what is stored and told is whole.
  const clock = {
    unixMs: () => Math.floor(options.clock.unixMs()),
    monotonicMs: () => options.clock.monotonicMs?.() ?? options.clock.unixMs(),
  };
  const settings = readOptions(options);
  const lock = await holdData(options);
  try {
    if (lock !== null) await removeLeftovers(options);
    const database = await FleetDatabase.open(options.databaseFile, clock, options.durability);
    try {
      const times = new DirectorTimes(database, clock);
      const trust =
        options.trust === undefined ? null : new FleetTrust(options.trust, clock, times);
      trust?.noteServed(await publishedVersions(database.queries));
      const alive = await readAlive(database.queries);
      const mark = openMark(options, alive?.serviceMs ?? null);
      const time = new ServiceTime(clock, {
        startMs: alive?.serviceMs ?? 0,
        ticksEveryMs: options.ticksEveryMs ?? null,
      });
      const tokens = await openTokens(database, options.databaseFile);
      const fleet: Fleet = {
        database,
        memory: await loadMemory(database),
        artifacts: new ArtifactFolder(options.artifactsFolder),
        tokens,
        attempts: new AttemptGuard(() => clock.monotonicMs()),
        addresses: new AddressBudget(() => clock.monotonicMs(), tokens),
        paces: new DevicePaces(() => time.nowMs()),
        images: new ImageDesk(),
        scans: new ScanDesk(),
        admission: await openAdmission(database, {
          nowMs: () => time.nowMs(),
          unixMs: () => clock.unixMs(),
          pollSeconds: settings.pollSeconds,
        }),
        counters: new CounterDesk(),
        comparisons: new Comparisons(),
        outages: await Outages.open(database, { clock, time, mark }),
        mark,
        trust,
        clock,
        pollSeconds: settings.pollSeconds,
        time,
      };
      await setMissingDues(database.queries, time.nowMs() + defaultActionSeconds * 1000);
      const readiness = new Readiness(fleet, options.readinessEveryMs);
      const app = await buildApp(fleet, settings, readiness, options.logLevel ?? "silent");
      const connections = new Connections(app.server, settings.connections);
      return lifecycle(app, fleet, { readiness, lock, connections, limits: settings.connections });
    } catch (error) {
      await database.close();
      throw error;
    }
  } catch (error) {
    lock?.release();
    throw error;
  }
}

/**
 * A database that is not brought to the disk may fall behind what is beside it, and can be lost.
 */
function openMark({ databaseFile, durability }: FleetOptions, serviceMs: number | null) {
  const isKept = databaseFile !== ":memory:" && durability !== "off";
  return isKept ? new ServedMark(databaseFile, serviceMs) : null;
}

/** A key that is not the one of the database, as from another backup, would know no device. */
async function openTokens(database: FleetDatabase, databaseFile: string): Promise<TokenKey> {
  const isNeeded = await hasTokenMacs(database.queries);
  const key = openTokenKey(databaseFile, isNeeded);
  const mark = await readFileMark(database.queries);
  if (mark === key.mark) return key;
  if (isNeeded && mark !== 0)
    throw new DatabaseRefusedError(
      `the token key beside ${databaseFile} is of another database, and knows no device's token: restore both from one backup`,
    );
  await database.write(({ db }) => writeFileMark(db, key.mark));
  return key;
}

/**
 * Lines for who reads slowly wait, and are dropped beyond a bound: the server waits for no reader.
 * A terminal obeys none of them, whoever's words are in them; to programs they are the same JSON.
 */
function logStream() {
  const lines = destination({ dest: 2, sync: false, maxLength: logWaitingBytesMax });
  return {
    write: (line: string) => void lines.write(printableLines(line)),
    flushSync: () => lines.flushSync(),
  };
}

/** One server at a time works on a database; what is in memory of one, another would not know. */
async function holdData({ databaseFile }: FleetOptions): Promise<FileLock | null> {
  if (databaseFile === ":memory:") return null;
  const purpose = `a fleet server that started at ${new Date().toISOString()}`;
  return lockFile(databaseFile, { purpose, waitMsMax: 0 });
}

/** What a server that was killed was writing; the lock says that nobody writes it now. */
async function removeLeftovers({ databaseFile, artifactsFolder, trust }: FleetOptions) {
  await new ArtifactFolder(artifactsFolder).removeLeftovers();
  const folders = [dirname(databaseFile)];
  if (trust !== undefined) folders.push(trust.folder, join(trust.folder, "metadata"));
  for (const folder of folders) await removeFrom(folder, /^\..+\.\d+-[0-9a-f]{8}\.part$/);
}

async function buildApp(
  fleet: Fleet,
  settings: FleetSettings,
  readiness: Readiness,
  logLevel: string,
): Promise<FastifyInstance> {
  const options: FastifyServerOptions = {
    logger: logLevel === "silent" ? false : { level: logLevel, stream: logStream() },
    bodyLimit: limits.managementBodyBytesMax,
    exposeHeadRoutes: true,
    requestTimeout: settings.connections.requestMs,
    connectionTimeout: settings.connections.idleMs,
    keepAliveTimeout: settings.connections.keepAliveMs,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: answerBeforeRoutes,
    schemaController: { compilersFactory: sharedCompilers },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, verbose: true } },
  };
  // Routes are the same on both; what is not, is the type of node's server below.
  const { connections } = settings;
  const node = serverOptions(connections);
  const https =
    settings.tls === null
      ? { http: node }
      : {
          https: {
            ...node,
            ...serverTls(settings.tls),
            handshakeTimeout: connections.tlsHandshakeMs,
          },
        };
  const app = fastify({ ...options, ...https } as FastifyServerOptions);
  app.setSchemaErrorFormatter(invalidRequest);
  answerErrors(app);
  refuseCodedBodies(app);
  await app.register(swagger, openApi(settings));
  const device = { ...settings, fleet, certificates: certificateRules(settings.tls) };
  await app.register(
    deviceApi(device, [
      ...deviceResources(device),
      ...confirmationResources(device),
      ...artifactResources(device),
      ...directorResources(device),
      ...counterResources(device),
    ]),
  );
  await app.register(management(fleet, settings, readiness), { prefix: "/api/v1" });
  await app.register(async (scope) => {
    const refuseOthers = refuseOtherMethods(scope);
    guardAgainstSites(scope, settings.names);
    askForAdmin(scope, settings, fleet);
    await scope.register(metricsRoutes(fleet, readiness));
    refuseOthers();
  });
  await app.register(async (scope) => {
    const refuseOthers = refuseOtherMethods(scope);
    guardAgainstSites(scope, settings.names);
    await scope.register(pageRoutes);
    scope.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
    refuseOthers();
  });
  await app.register(probeRoutes(readiness));
  const { trust, artifacts } = fleet;
  if (trust !== null) await app.register(tufRoutes({ trust, artifacts, tenant: settings.tenant }));
  return app;
}

interface Held {
  readonly readiness: Readiness;
  readonly lock: FileLock | null;
  readonly connections: Connections;
  readonly limits: ConnectionLimits;
}

function lifecycle(app: FastifyInstance, fleet: Fleet, held: Held): FleetServer {
  let ticks = 0;
  let last: Promise<void> = Promise.resolve();
  let closed: Promise<void> | null = null;
  return {
    app,
    tick() {
      ticks += 1;
      const prunes = ticks % ticksPerPrune === 0;
      const run = async (): Promise<void> => {
        if (closed !== null) return;
        const tickClocks = async (): Promise<void> => {
          const clockStepMs = await fleet.outages.tick();
          if (clockStepMs !== null) app.log.warn({ clockStepMs }, "the wall clock was set");
        };
        await inTurn([
          () => held.readiness.check(),
          tickClocks,
          () => tickFleet(fleet),
          async () => tellNotices(fleet, app.log, (await fleet.trust?.tick()) ?? []),
          async () => prunes && pruneStream(fleet),
          async () => prunes && forgetCounters(fleet),
        ]);
      };
      const result = last.then(run);
      last = result.catch(() => {}); // the caller of this tick gets the error; the next one runs all the same
      return result;
    },
    close() {
      const ending = last;
      closed ??= stopServer(app, fleet, ending, held);
      return closed;
    },
  };
}

/** Each part has its try, whatever becomes of the others; the first error is thrown at the end. */
async function inTurn(parts: readonly (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const part of parts)
    try {
      await part();
    } catch (error) {
      errors.push(error);
    }
  if (errors.length > 0) throw errors[0];
}

/** Requests that are under way may end, for a time; then everything is written down that can be. */
async function stopServer(
  app: FastifyInstance,
  fleet: Fleet,
  lastTick: Promise<void>,
  { lock, connections, limits: { drainMs, stopMs } }: Held,
): Promise<void> {
  const stop = new Stop(stopMs, (step, error) =>
    app.log.error({ err: error }, `stopping: ${step} failed`),
  );
  const closing = app.close();
  connections.drain();
  const isDrained = await stop.step("waiting for requests", () => closing, drainMs);
  if (!isDrained) {
    connections.destroyAll();
    fleet.trust?.abort();
    await stop.step("ending connections", () => closing);
  }
  await stop.step("the last tick", () => lastTick, Math.min(drainMs, stop.patienceMs));
  fleet.trust?.abort();
  await stop.step("writing last contacts", () => writeAllContacts(fleet));
  await stop.step("writing the audit log", () => fleet.trust?.close(), stop.patienceMs);
  fleet.trust?.abort(); // a signer that thinks still would be left running
  await stop.step("ending the check of images", () => fleet.images.close());
  await stop.step("ending scans", () => fleet.scans.close());
  await stop.step("noting the time", () => fleet.outages.close());
  const isWritten = await stop.step("closing the database", () => fleet.database.close());
  if (!isWritten) await fleet.database.close("now");
  lock?.release();
}

function management(fleet: Fleet, settings: FleetSettings, readiness: Readiness) {
  return async (app: FastifyInstance): Promise<void> => {
    const refuseOthers = refuseOtherMethods(app);
    guardAgainstSites(app, settings.names);
    askForAdmin(app, settings, fleet);
    refuseUnknownParameters(app);
    app.removeContentTypeParser("text/plain"); // a form of another site's page can send it
    await app.register(releaseRoutes(fleet, settings));
    await app.register(configurationRoutes(fleet, settings.configurationKeys));
    await app.register(deviceRoutes(fleet));
    await app.register(importRoutes(fleet));
    await app.register(policyRoutes(fleet));
    await app.register(windowRoutes(fleet));
    await app.register(rolloutRoutes(fleet));
    await app.register(admissionRoutes(fleet));
    await app.register(previewRoutes(fleet, settings.pollSeconds));
    await app.register(eventRoutes(fleet));
    await app.register(counterRoutes(fleet));
    await app.register(serverRoutes(fleet, settings));
    await app.register(readyRoutes(readiness));
    if (fleet.trust !== null) await app.register(trustRoutes(fleet, fleet.trust));
    refuseOthers();
  };
}

/** Everything that is registered here asks for the admin token, when there is one. */
function askForAdmin(
  app: FastifyInstance,
  { adminTokenSha256 }: FleetSettings,
  fleet: Fleet,
): void {
  const subject = { name: "admin", kind: "admin-token-refused" } as const;
  app.addHook("onRequest", async (request, reply) => {
    if (adminTokenSha256 === null) return;
    const pauseSeconds = pauseOf(fleet, request, subject);
    if (pauseSeconds > 0)
      return reply
        .code(429)
        .header("retry-after", pauseSeconds)
        .send({ error: "too-many-attempts", message: pauseText(pauseSeconds) });
    const token = /^Bearer +(\S{1,256})$/i.exec(request.headers.authorization ?? "")?.[1];
    if (token !== undefined && isSameDigest(tokenSha256(token), adminTokenSha256)) {
      noteRight(fleet, request, subject);
      return;
    }
    // A request without any token guesses nothing: browsers ask so before they know one.
    if (token !== undefined) await noteWrong(fleet, request, subject);
    const message = "send the server's admin token as Authorization: Bearer TOKEN";
    return reply
      .code(401)
      .header("www-authenticate", "Bearer")
      .send({ error: "unauthorized", message });
  });
}

/** JSON for every error, and never a stack: what a defect was is in the log. */
function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    const fault = error.statusCode === undefined ? faultOf(error) : null;
    if (fault !== null) {
      request.log.warn({ err: error }, fault.message);
      reply.code(fault.status).header("retry-after", fault.retryAfterSeconds);
      return reply.send({ error: fault.reason, message: fault.message });
    }
    if (status < 400 || status >= 500) {
      request.log.error({ err: error }, "a request failed");
      const message = "the server failed; its log has the cause";
      return reply.code(500).send({ error: "internal", message });
    }
    const reason = error.validation === undefined ? wordOf(error) : "invalid-request";
    return reply.code(status).send({ error: reason, message: error.message });
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `nothing answers ${request.method} here; see /openapi.json`;
    return reply.code(404).send({ error: "not-found", message });
  });
}

/** Answers for an address that cannot be decoded, so that no route and no scope could. */
function answerBeforeRoutes(error: FastifyError, _: unknown, reply: FastifyReply): void {
  reply.code(error.statusCode ?? 400).send({ error: wordOf(error), message: error.message });
}

/** `FST_ERR_CTP_BODY_TOO_LARGE` becomes `body-too-large`. */
function wordOf(error: FastifyError): string {
  return (error.code ?? "refused")
    .replace(/^FST_ERR_(CTP_)?/, "")
    .toLowerCase()
    .replaceAll("_", "-");
}
