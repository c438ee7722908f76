import type { Ports } from "../../ports/ports.ts";
import type { UpdateEvent } from "../../protocol/events.ts";
import type { DdiClient } from "../../transfer/ddi-client.ts";
import type { Effect } from "../machine/effect.ts";
import type { Event } from "../machine/event.ts";
import { offerOf } from "../machine/state.ts";
import type { Turn } from "../machine/turn.ts";
import { EventQueue } from "./event-queue.ts";

/** Requests of one delivery, enough for a full queue; what is left goes with the next one. */
const batchesMax = 4;

/** How far a download is, when something of it is told. */
export interface DownloadProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  /** Requests of this download that had to be repeated, in this boot. */
  readonly retries: number;
}

export interface TelemetryTools {
  readonly ports: Ports;
  readonly client: DdiClient;
  batteryPercent(): number | null;
}

/**
 * Tells the server what happens, beside the reports: the events of an update, queued and delivered
 * after a poll.
 */
export class Telemetry {
  readonly #queue: EventQueue;
  readonly #tools: TelemetryTools;
  #toldPercent = 0;

  constructor(tools: TelemetryTools) {
    this.#tools = tools;
    this.#queue = new EventQueue(tools.ports, () => ({
      signalDbm: tools.ports.link?.signalDbm() ?? null,
      batteryPercent: tools.batteryPercent(),
    }));
  }

  /** The name of this boot, among all of the device. */
  get bootId(): string {
    return this.#queue.bootId;
  }

  turned(turn: Turn, progress: DownloadProgress): void {
    if (turn.effects.some(({ kind }) => kind === "download"))
      this.#toldPercent = percentOf(progress);
    for (const event of turn.event.kind === "booted" ? ofBoot(turn) : ofWork(turn, progress))
      this.#queue.add(event);
  }

  /** A block landed: told at each tenth of the image. */
  landed(version: string, progress: DownloadProgress): void {
    const percent = percentOf(progress);
    if (percent <= this.#toldPercent) return;
    this.#toldPercent = percent;
    const { bytes, retries } = progress;
    this.#queue.add({ type: "update.download.progress", version, percent, bytes, retries });
  }

  /** Sends what waits, oldest first, until one request fails. */
  async flush(): Promise<void> {
    for (let batches = 0; batches < batchesMax; batches += 1) {
      const batch = this.#queue.batch();
      if (batch === null) return;
      const sent = await this.#tools.client.events(batch.body);
      // What the server will never take would hold up all behind it.
      if (!sent.ok && sent.reason !== "response-invalid") return;
      this.#queue.delivered(batch);
    }
  }
}

/** Whole tenths. */
function percentOf({ bytes, totalBytes }: DownloadProgress): number {
  return totalBytes === 0 ? 0 : Math.floor((10 * bytes) / totalBytes) * 10;
}

/**
 * Each of the 14 events of an update has one place: here what is told of a boot, below of the rest.
 */
function ofBoot({ before, after, context }: Turn): readonly UpdateEvent[] {
  const { running, resetReason } = context;
  const { version } = running;
  const offered = offerOf(before)?.version ?? null;
  const isAfterRestart = before.kind === "activating" || before.kind === "rollingBack";
  const events: UpdateEvent[] = [];
  if (isAfterRestart || before.kind === "trial" || after.kind === "trial") {
    const fromVersion = before.kind === "rollingBack" ? offered : null;
    events.push({ type: "update.reboot.completed", fromVersion, version, reason: resetReason });
  }
  if (before.kind === "activating" && after.kind === "trial")
    events.push({ type: "update.install.completed", version });
  if (after.kind === "rolledBack" && before.kind !== "rolledBack") {
    const { reason } = after;
    const fromVersion = after.offer.version;
    // The bootloader decided this one: the trial's boots were used up.
    if (before.kind !== "rollingBack")
      events.push({ type: "update.rollback.triggered", fromVersion, toVersion: version, reason });
    events.push({ type: "update.rollback.completed", fromVersion, toVersion: version, reason });
  }
  if (before.kind === "activating" && after.kind === "failed")
    events.push(
      ...failed(after.offer.version, after.reason, { bytes: 0, totalBytes: 0, retries: 0 }),
    );
  return events;
}

function ofWork(turn: Turn, progress: DownloadProgress): readonly UpdateEvent[] {
  const { before, event, after, effects, context } = turn;
  const does = (kind: Effect["kind"]): boolean => effects.some((effect) => effect.kind === kind);
  const fromVersion = context.running.version;
  const offered = offerOf(after) ?? offerOf(before);
  const version = offered?.version ?? fromVersion;
  const events: UpdateEvent[] = [];
  if (does("check")) events.push({ type: "update.check.started" });
  if (event.kind === "checked" || event.kind === "checkFailed") {
    const reason = after.kind === "failed" || after.kind === "deferred" ? after.reason : null;
    events.push({ type: "update.check.completed", version, reason });
  }
  if (does("download")) {
    const { bytes, totalBytes } = progress;
    events.push({ type: "update.download.started", version, bytes, totalBytes });
  }
  if (event.kind === "downloaded" && before.kind === "downloading") {
    const { totalBytes: bytes, retries } = progress;
    events.push({ type: "update.download.completed", version, bytes, retries });
  }
  if (event.kind === "downloadFailed" && before.kind === "downloading")
    events.push(...failed(version, event.reason, progress));
  if (before.kind === "verifying" && event.kind === "verifyFailed")
    events.push(...failed(version, event.reason, progress));
  if (does("prepareSwap")) events.push({ type: "update.install.started", version });
  if (before.kind === "trial") events.push(...ofTrial(event, fromVersion));
  if (after.kind === "rollingBack" && before.kind !== "rollingBack")
    events.push({
      type: "update.rollback.triggered",
      fromVersion,
      toVersion: null,
      reason: after.reason,
    });
  if (does("restart")) {
    const toVersion = after.kind === "activating" ? version : "?";
    events.push({ type: "update.reboot.started", fromVersion, toVersion });
  }
  return events;
}

function ofTrial(event: Event, version: string): readonly UpdateEvent[] {
  switch (event.kind) {
    case "confirmWritten":
      return [{ type: "update.health.ok", version }];
    case "confirmFailed":
      return [{ type: "update.health.failed", version, reason: "confirm-failed" }];
    case "trialEnded":
      return [{ type: "update.health.failed", version, reason: event.reason }];
    default:
      return [];
  }
}

function failed(
  version: string,
  reason: string,
  { bytes, retries }: DownloadProgress,
): readonly UpdateEvent[] {
  return [{ type: "update.download.failed", version, reason, bytes, retries }];
}
