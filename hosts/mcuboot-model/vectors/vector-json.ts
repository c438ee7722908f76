/** The vectors are not what this runner understands; the message names the place. */
export class VectorFormatError extends Error {
  override readonly name = "VectorFormatError";
}

/** An object of the vectors' JSON; every access checks and names what it found. */
export class JsonObject {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new VectorFormatError(`${where} is ${show(value)}, not an object`);
    this.#value = value as Record<string, unknown>;
    this.#where = where;
  }

  keys(): string[] {
    return Object.keys(this.#value);
  }

  /** Whether the key is there, be it null. */
  defines(key: string): boolean {
    return this.#value[key] !== undefined;
  }

  /** Whether the key is there with a value. */
  has(key: string): boolean {
    return this.#value[key] !== undefined && this.#value[key] !== null;
  }

  raw(key: string): unknown {
    return this.#value[key];
  }

  text(key: string): string {
    return this.#typed(key, "string") as string;
  }

  number(key: string): number {
    return this.#typed(key, "number") as number;
  }

  flag(key: string): boolean {
    return this.#typed(key, "boolean") as boolean;
  }

  object(key: string): JsonObject {
    return new JsonObject(this.#value[key], `${this.#where}.${key}`);
  }

  list(key: string): readonly unknown[] {
    const value = this.#value[key];
    if (!Array.isArray(value))
      throw new VectorFormatError(`${this.#where}.${key} is ${show(value)}, not a list`);
    return value;
  }

  objects(key: string): JsonObject[] {
    return this.list(key).map(
      (value, index) => new JsonObject(value, `${this.#where}.${key}[${index}]`),
    );
  }

  #typed(key: string, type: "string" | "number" | "boolean"): unknown {
    const value = this.#value[key];
    if (typeof value !== type)
      throw new VectorFormatError(`${this.#where}.${key} is ${show(value)}, not a ${type}`);
    return value;
  }
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? "absent";
}
