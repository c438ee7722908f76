import type { Socket, SocketOptions } from "sluice/board";

/** Under whose guard a socket calls back. */
export interface SocketGuard {
  /** Nothing that happens on the socket matters any more. */
  readonly ended: boolean;
  /** Where the body begins and how its end is known are settled, and no chunks make it up. */
  readonly takesPieces: boolean;
  /** Counts what arrives before the client has handed over the whole head. */
  arrived(bytes: number): void;
  /** Runs a callback; what it throws ends the exchange. */
  guard(run: () => void): void;
  /** True when the exchange knows what to make of the error: the client then need not hear of it. */
  takesError(error: unknown): boolean;
}

/**
 * A class of sockets with every callback under the guard of its exchange.
 *
 * Heads and chunks reach the SDK's client byte by byte: it puts off what lies behind the end of a
 * chunk to a timer, where nobody could catch what it throws on a malformed one, and the board would
 * reset. With a byte at a time nothing ever lies behind.
 */
export function guardedSocket<Options extends SocketOptions>(
  io: new (options: Options) => Socket,
): new (
  options: Options & { readonly exchange: SocketGuard },
) => Socket {
  return class GuardedSocket extends io {
    constructor(options: Options & { readonly exchange: SocketGuard }) {
      const { exchange, onReadable, onWritable, onError } = options;
      // A name may resolve after its exchange has ended: closing the client does not stop that.
      if (exchange.ended) throw new Error("the exchange is over");
      super({
        ...options,
        onReadable(count) {
          exchange.arrived(count);
          for (let left = count; left > 0 && !exchange.ended; ) {
            const bytes = exchange.takesPieces ? left : 1;
            exchange.guard(() => onReadable?.(bytes));
            left -= bytes;
          }
        },
        onWritable: (count) => exchange.guard(() => onWritable?.(count)),
        onError(error) {
          if (!exchange.takesError(error)) exchange.guard(() => onError?.(error));
        },
      });
    }
  };
}
