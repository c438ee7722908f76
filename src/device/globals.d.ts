/** One line on the console of the board or the simulator; the SDK's typings have it too. */
declare function trace(...texts: unknown[]): void;
