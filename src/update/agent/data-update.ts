import { DataStore } from "../../config/data-store.ts";
import { type ApplicationData, type Migration, Migrations } from "../../config/migrations.ts";
import type { Ports } from "../../ports/ports.ts";

/**
 * The application's data: its schema in this firmware, and how data of earlier schemas becomes it.
 */
export interface DataDeclaration {
  /** Grows with each firmware that reads the data otherwise than the one before it. */
  readonly schema: number;
  /** One step from each earlier schema that a device may have. */
  readonly migrations: readonly Migration[];
}

/**
 * Takes the application's data through an update: migrated to a copy in the trial, kept with the
 * confirm, the original deleted when the soak is over. The firmware that comes back finds its own.
 */
export class DataUpdate {
  readonly #ports: Ports;
  readonly #declaration: DataDeclaration;
  readonly #migrations: Migrations;
  #data: ApplicationData | null = null;

  /** Throws RangeError for declarations that contradict themselves, and `StorageError`. */
  constructor(ports: Ports, declaration: DataDeclaration) {
    this.#ports = ports;
    this.#declaration = declaration;
    this.#migrations = new Migrations(new DataStore(ports.keyValue), declaration.migrations);
  }

  /** Null until `begin`, and when the data could not be brought to this firmware's schema. */
  get data(): ApplicationData | null {
    return this.#data;
  }

  /**
   * Once in each boot, before the application; false when it cannot work on the data that there is.
   */
  begin(): boolean {
    const begun = this.#migrations.begin(this.#declaration.schema);
    if (begun.ok) {
      this.#data = begun.data;
      if (begun.outcome !== "ready") this.#log("info", `data ${begun.outcome}`);
      return true;
    }
    const { ok, reason, ...numbers } = begun;
    this.#log("error", `data: ${reason} ${JSON.stringify(numbers)}`);
    return ok;
  }

  /** The image that runs is confirmed: its data is the data. Safe to repeat. */
  confirmed(): void {
    if (this.#data !== null) this.#ended("committed", this.#migrations.commit().ok);
  }

  /** No late rollback can come any more: the original is not needed. Safe to repeat. */
  settled(): void {
    if (this.#data !== null) this.#ended("released", this.#migrations.release().ok);
  }

  #ended(what: string, done: boolean): void {
    if (!done)
      this.#log("error", `data not ${what}: the storage refuses; tried again at the next start`);
  }

  #log(level: "info" | "error", message: string): void {
    this.#ports.log.write(level, message);
  }
}
