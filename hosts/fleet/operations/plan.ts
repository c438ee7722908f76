/** No plan: what was decided under it must be decided again. */
export const undecided = -1;

/**
 * The plan of all rollouts together, as one number. It grows with every change of a rollout, so
 * that each device's instruction is decided again at its next poll. Servers that share a database
 * share the number: a source of it answers at once, from what it heard of the others.
 */
export interface Plan {
  readonly number: number;
  advance(): void;
}

/** The plan of a server that has its database to itself; it begins anew with each start. */
export class PlanOfOneServer implements Plan {
  #number = 0;

  get number(): number {
    return this.#number;
  }

  advance(): void {
    this.#number += 1;
  }
}
