/** Named checks, one after another: each that throws has failed. */
export class Checks {
  #passed = 0;
  #failed = 0;

  /** Answers whether it passed. */
  async check(name: string, run: () => void | Promise<void>): Promise<boolean> {
    const startedMs = performance.now();
    try {
      await run();
      this.#passed += 1;
      console.log(`ok ${name} (${seconds(startedMs)})`);
      return true;
    } catch (error) {
      this.#failed += 1;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      console.log(`not ok ${name} (${seconds(startedMs)})\n  ${text.replaceAll("\n", "\n  ")}`);
      return false;
    }
  }

  /** Prints the last line; answers the exit code. */
  end(): number {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed === 0 ? 0 : 1;
  }
}

function seconds(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}
