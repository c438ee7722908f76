import type { Log } from "../../ports/board.ts";

/**
 * A console that throws, as that of a board which is going down, must not end what is told about.
 */
export function patientLog(log: Log): Log {
  return {
    write(level, message) {
      try {
        log.write(level, message);
      } catch {
        // there is nobody left to tell
      }
    },
  };
}
