/**
 * One health check and what it says now. The list holds one entry per check: the server's
 * heartbeat, those that the application added, free memory, and the peripherals that the product
 * needs.
 */
export type HealthResult =
  | ServerHeartbeat
  | { readonly kind: "application"; readonly name: string; readonly outcome: CheckOutcome }
  | { readonly kind: "memory"; readonly freeBytes: number; readonly floorBytes: number }
  | { readonly kind: "peripheral"; readonly name: string; readonly outcome: CheckOutcome };

/**
 * `pending`: no answer yet. `failing` may still become `passed` until the time of this boot is
 * over.
 */
export type CheckOutcome = "passed" | "pending" | "failing";

/** The polls of this boot, counted by how they ended. */
export interface ServerHeartbeat {
  readonly kind: "server";
  /** The server answered a poll that carried this image's own hash. */
  readonly acknowledged: boolean;
  /** No answer came: no link, no name, no connection, no TLS, or a timeout. */
  readonly unreachableCount: number;
  /** The server said that it cannot now: 429 or 5xx. */
  readonly unavailableCount: number;
  /** Any other answer: 4xx, or one that is no poll. */
  readonly refusedCount: number;
}

/** Checks that one list may hold. */
export const healthChecksMax = 16;

export interface HealthSettings {
  /** How long a trial boot may take to become healthy. */
  readonly trialMs: number;
  /**
   * Confirm an image that could not reach the server, under the conditions of `evaluateHealth`; for
   * sleepy devices.
   */
  readonly confirmWithoutServer: boolean;
  /**
   * How long the server is waited for before that, at most `trialMs`; shorter saves a sleepy
   * device's battery.
   */
  readonly serverPatienceMs: number;
}

export const defaultHealthSettings: HealthSettings = {
  trialMs: 60_000,
  confirmWithoutServer: false,
  serverPatienceMs: 60_000,
};

export interface TrialFacts {
  readonly uptimeMs: number;
  /**
   * The network was down when the old image ran last, too: its absence says nothing against the new
   * one.
   */
  readonly networkWasDownBefore: boolean;
}

export type HealthFailure =
  /**
   * Every other check passed and the server gave no answer, or only that it cannot now: perhaps its
   * own outage.
   */
  | "no-server"
  /** The server answers and does not take what this image sends. */
  | "server-refused"
  | "health-check"
  | "low-memory"
  | "peripheral"
  /** The list is empty: nothing can prove this image good. */
  | "no-checks";

export type HealthVerdict =
  /** `withoutServer`: confirmed by the setting, the server was not heard. */
  | { readonly kind: "healthy"; readonly withoutServer: boolean }
  /** Names of the checks that have not passed. */
  | { readonly kind: "waiting"; readonly for: readonly string[] }
  | { readonly kind: "failed"; readonly reason: HealthFailure; readonly check: string };

/**
 * Is the image on trial good? All checks passed: `healthy`, at once. Else `waiting` until the time
 * of this boot is over, then `failed` with the first check that did not pass; the server comes
 * last, so that `no-server` means that nothing else speaks against the release.
 *
 * With `confirmWithoutServer` an image is healthy without the server when everything else passed,
 * the server was waited for, it answered nothing at all to this image, and either the network was
 * down before the restart too, or polls were tried and failed by transport only. An answer of any
 * kind shows that the network works: then it has to be a good one.
 */
export function evaluateHealth(
  results: readonly HealthResult[],
  trial: TrialFacts,
  settings: HealthSettings,
): HealthVerdict {
  const isOver = trial.uptimeMs >= settings.trialMs;
  const missing = results.filter((result) => !hasPassed(result));
  const [first] = [...missing].sort((a, b) => rank(a) - rank(b));
  if (results.length === 0)
    return isOver
      ? { kind: "failed", reason: "no-checks", check: "none" }
      : { kind: "waiting", for: [] };
  if (first === undefined) return { kind: "healthy", withoutServer: false };
  const wasPatient = trial.uptimeMs >= Math.min(settings.serverPatienceMs, settings.trialMs);
  const mayGo = settings.confirmWithoutServer && wasPatient;
  if (mayGo && missing.every((result) => mayGoWithout(result, trial)))
    return { kind: "healthy", withoutServer: true };
  if (!isOver) return { kind: "waiting", for: missing.map((result) => nameOf(result)) };
  return { kind: "failed", reason: failureOf(first), check: nameOf(first) };
}

/**
 * Is the confirmed image still good? The name of the first check that fails, or null. The server
 * does not count here, as its outage must not roll back a fleet (the watch has a rule of its own
 * for it), and neither does a check that has not answered yet.
 */
export function failingAfterConfirm(results: readonly HealthResult[]): string | null {
  const failing = results.find(
    (result) => result.kind !== "server" && !hasPassed(result) && !isPending(result),
  );
  return failing === undefined ? null : nameOf(failing);
}

function hasPassed(result: HealthResult): boolean {
  if (result.kind === "server") return result.acknowledged;
  if (result.kind === "memory") return result.freeBytes >= result.floorBytes;
  return result.outcome === "passed";
}

function isPending(result: HealthResult): boolean {
  return "outcome" in result && result.outcome === "pending";
}

/** The server is the last to be blamed; otherwise the order of the list holds. */
function rank(result: HealthResult): number {
  return result.kind === "server" ? 1 : 0;
}

function mayGoWithout(missing: HealthResult, trial: TrialFacts): boolean {
  if (missing.kind !== "server") return false;
  const { unreachableCount, unavailableCount, refusedCount } = missing;
  const isSilent = unavailableCount === 0 && refusedCount === 0;
  return isSilent && (trial.networkWasDownBefore || unreachableCount > 0);
}

function nameOf(result: HealthResult): string {
  return "name" in result ? result.name : result.kind;
}

function failureOf(result: HealthResult): HealthFailure {
  switch (result.kind) {
    case "server":
      return result.refusedCount > 0 ? "server-refused" : "no-server";
    case "application":
      return "health-check";
    case "memory":
      return "low-memory";
    case "peripheral":
      return "peripheral";
    default:
      return result satisfies never;
  }
}
