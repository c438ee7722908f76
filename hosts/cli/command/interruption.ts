const signals = ["SIGINT", "SIGTERM"] as const;
/**
 * Within this time a signal is the same one: terminals, init systems and the launcher may each
 * bring it.
 */
const sameMs = 1000;

/** Two moments of a command that runs until somebody ends it. */
export interface Interruption {
  /** Somebody wants the command to end. */
  readonly asked: Promise<void>;
  /** Somebody wants the end at once: they asked again, later. */
  readonly insisted: Promise<void>;
  /** Signals do again what they do to any process. */
  release(): void;
}

/** Takes the signals that end a command, from now until it is released. */
export function watchInterruption(now: () => number = () => performance.now()): Interruption {
  const asked = Promise.withResolvers<void>();
  const insisted = Promise.withResolvers<void>();
  let firstMs: number | null = null;
  const take = (): void => {
    if (firstMs === null) {
      firstMs = now();
      asked.resolve();
    } else if (now() - firstMs >= sameMs) insisted.resolve();
  };
  for (const signal of signals) process.on(signal, take);
  return {
    asked: asked.promise,
    insisted: insisted.promise,
    release() {
      for (const signal of signals) process.off(signal, take);
    },
  };
}
