import type { Log } from "../../ports/board.ts";
import type { Counters } from "./counters.ts";

/**
 * A console that throws, as that of a board which is going down, must not end what is told about.
 * Errors are counted.
 */
export function patientLog(log: Log, counters: Pick<Counters, "logged">): Log {
  return {
    write(level, message) {
      counters.logged(level);
      try {
        log.write(level, message);
      } catch {
        // there is nobody left to tell
      }
    },
  };
}
