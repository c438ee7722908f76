import type { Log, LogLevel, Random } from "../../src/ports/board.ts";

/** Keeps the lines, for tests that look at them. */
export class LogLines implements Log {
  readonly lines: string[] = [];

  write(level: LogLevel, message: string): void {
    this.lines.push(`${level}: ${message}`);
  }
}

/** Always the same draw. */
export function fixedRandom(value: number): Random {
  return { next: () => value };
}
