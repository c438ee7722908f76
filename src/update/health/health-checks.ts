import {
  type CheckOutcome,
  type HealthResult,
  healthChecksMax,
  type ServerHeartbeat,
} from "../../policy/health.ts";
import type { Memory } from "../../ports/board.ts";

/** True and "passed" mean good; false, "failing" and an exception mean bad, for now. */
export type HealthAnswer = boolean | CheckOutcome;

/** Asked about every second in a trial and every ten seconds in the soak; never twice at once. */
export type HealthCheck = () => HealthAnswer | Promise<HealthAnswer>;

/** How a poll ended. */
export type PollOutcome = "acknowledged" | "unreachable" | "unavailable" | "refused";

interface AddedCheck {
  readonly kind: "application" | "peripheral";
  readonly name: string;
  readonly check: HealthCheck;
  outcome: CheckOutcome;
  isAsked: boolean;
}

/**
 * What has to be well for an image to be good: the server's heartbeat, free memory where the board
 * tells it, and what the application added. An answer that is a promise counts once it is there; a
 * check whose promise never settles stays pending, which no trial survives.
 */
export class HealthChecks {
  readonly #memory: Memory | null;
  readonly #memoryFloorBytes: number;
  readonly #added: AddedCheck[] = [];
  #heartbeat: ServerHeartbeat = {
    kind: "server",
    acknowledged: false,
    unreachableCount: 0,
    unavailableCount: 0,
    refusedCount: 0,
  };

  constructor(memory: Memory | null, memoryFloorBytes: number) {
    this.#memory = memory;
    this.#memoryFloorBytes = memoryFloorBytes;
  }

  /** Whether something else than a poll can change what the checks say. */
  get changesByItself(): boolean {
    return this.#added.length > 0;
  }

  get serverReached(): boolean {
    return this.#heartbeat.acknowledged;
  }

  /** Throws RangeError for a name that is taken or empty, and for one check too many. */
  add(kind: AddedCheck["kind"], name: string, check: HealthCheck): void {
    const isTaken = name === "server" || name === "memory";
    if (name === "" || isTaken || this.#added.some((added) => added.name === name))
      throw new RangeError(`a health check cannot be named "${name}": empty or taken`);
    if (this.#added.length >= healthChecksMax - 2)
      throw new RangeError(
        `${healthChecksMax - 2} health checks may be added, "${name}" is one more`,
      );
    this.#added.push({ kind, name, check, outcome: "pending", isAsked: false });
  }

  /** Counts a poll of this boot. */
  polled(outcome: PollOutcome): void {
    const before = this.#heartbeat;
    const one = (counted: PollOutcome): number => (counted === outcome ? 1 : 0);
    this.#heartbeat = {
      kind: "server",
      acknowledged: before.acknowledged || outcome === "acknowledged",
      unreachableCount: before.unreachableCount + one("unreachable"),
      unavailableCount: before.unavailableCount + one("unavailable"),
      refusedCount: before.refusedCount + one("refused"),
    };
  }

  /** Asks every check that is not being asked. `answered` is called when a promise settles. */
  ask(answered: () => void): void {
    for (const added of this.#added) if (!added.isAsked) askOne(added, answered);
  }

  results(): readonly HealthResult[] {
    const reading = this.#memory?.read() ?? null;
    const floorBytes = this.#memoryFloorBytes;
    const memory: readonly HealthResult[] =
      reading === null || floorBytes === 0
        ? []
        : [{ kind: "memory", freeBytes: reading.limitBytes - reading.usedBytes, floorBytes }];
    const added = this.#added.map(({ kind, name, outcome }) => ({ kind, name, outcome }));
    return [this.#heartbeat, ...memory, ...added];
  }
}

function askOne(added: AddedCheck, answered: () => void): void {
  try {
    const answer = added.check();
    if (!(answer instanceof Promise)) {
      added.outcome = outcomeOf(answer);
      return;
    }
    added.isAsked = true;
    const settle = (outcome: CheckOutcome): void => {
      added.isAsked = false;
      added.outcome = outcome;
      answered();
    };
    answer.then(
      (value) => settle(outcomeOf(value)),
      () => settle("failing"), // a check that throws says no
    );
  } catch {
    added.outcome = "failing"; // as above
  }
}

function outcomeOf(answer: HealthAnswer): CheckOutcome {
  if (typeof answer === "boolean") return answer ? "passed" : "failing";
  return answer === "passed" || answer === "pending" ? answer : "failing";
}
