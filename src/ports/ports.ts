import type {
  Clock,
  KeyValue,
  Link,
  Log,
  Memory,
  Power,
  Random,
  Reset,
  Watchdog,
} from "./board.ts";
import type { Crypto } from "./crypto.ts";
import type { FlashPartitions } from "./flash.ts";
import type { Http } from "./http.ts";

/** Everything that the agent needs of the world. */
export interface Ports {
  readonly flash: FlashPartitions;
  readonly http: Http;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyValue: KeyValue;
  readonly power: Power;
  readonly watchdog: Watchdog;
  readonly reset: Reset;
  readonly crypto: Crypto;
  readonly log: Log;
  /** A board that does not tell has no floor of free memory and no search for leaks. */
  readonly memory?: Memory;
  /** Taken as up where the board does not tell. */
  readonly link?: Link;
}
