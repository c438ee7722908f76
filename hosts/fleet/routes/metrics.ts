import type { FastifyInstance } from "fastify";
import { Counter, Gauge, Registry } from "prom-client";
import type { Fleet } from "../operations/fleet.ts";
import type { Readiness } from "../operations/readiness.ts";
import type { FleetTrust } from "../trust/fleet-trust.ts";

/** What Prometheus reads at `/metrics`: made at each scrape from what the server has in memory. */
export function metricsRoutes(fleet: Fleet, readiness: Readiness) {
  const registry = new Registry();
  new Gauge({
    name: "sluice_ready",
    help: "1 when a device would be served whole",
    registers: [registry],
    collect() {
      this.set(readiness.problems.length === 0 ? 1 : 0);
    },
  });
  new Gauge({
    name: "sluice_devices",
    help: "Devices that are registered",
    registers: [registry],
    collect() {
      this.set(fleet.memory.devices.registered);
    },
  });
  new Counter({
    name: "sluice_clock_steps_total",
    help: "Times that the wall clock of the server was seen to have been set",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(fleet.time.clockSteps);
    },
  });
  new Counter({
    name: "sluice_device_posts_refused_total",
    help: "Posts of devices that posted too often",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(fleet.paces.refused);
    },
  });
  new Gauge({
    name: "sluice_devices_waiting",
    help: "Devices that stand in line for an offer or a download",
    registers: [registry],
    collect() {
      this.set(fleet.admission.waiting);
    },
  });
  if (fleet.trust !== null) addTrust(registry, fleet.trust);
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/metrics", { schema: { hide: true } }, async (_, reply) =>
      reply.type(registry.contentType).send(await registry.metrics()),
    );
  };
}

function addTrust(registry: Registry, trust: FleetTrust): void {
  const registers = [registry];
  const labelNames = ["role"] as const;
  new Gauge({
    name: "sluice_trust_ready",
    help: "1 when devices find all signed metadata that they need",
    registers,
    collect() {
      this.set(trust.hasRoot && trust.problem === null ? 1 : 0);
    },
  });
  new Gauge({
    name: "sluice_trust_devices_ahead",
    help: "Devices that learnt a later time from a wrong clock than signed metadata is good for",
    registers,
    collect() {
      this.set(trust.ahead?.count ?? 0);
    },
  });
  new Gauge({
    name: "sluice_trust_life_left_ratio",
    help: "What is left of the life of a signed document, 1 to 0",
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { role, lifeLeftPercent } of trust.expiries)
        this.set({ role }, lifeLeftPercent / 100);
    },
  });
  new Gauge({
    name: "sluice_trust_expires_timestamp_seconds",
    help: "When a signed document expires, in seconds since 1970",
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { role, expiresUnixMs } of trust.expiries)
        this.set({ role }, expiresUnixMs / 1000);
    },
  });
}
