/** Exit codes of the `sluice` command, documented in docs/cli.md. */
export const exitCodes = {
  ok: 0,
  /**
   * The work was done and its answer is no: an invalid image, a rollout that halted, devices that
   * are lost.
   */
  negative: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A file is missing, unreadable or malformed. */
  input: 65,
  /** The fleet server cannot be reached or refused the request. */
  server: 69,
  /** A defect of ours. */
  internal: 70,
} as const;

/** An expected failure of a subcommand: its message is shown as it is, without a stack. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.input) {
    super(message);
    this.exitCode = exitCode;
  }
}
