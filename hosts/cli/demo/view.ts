import type { DeviceView, RolloutView } from "../server/fleet-views.ts";
import type { DemoObserver } from "./scenario.ts";

const barCharacters = 25;
const erase = "\r\u001b[K";

/**
 * Shows the demo on a terminal: what happened as lines, and below them one line that moves with the
 * fleet. Where the output is no terminal, the lines alone.
 */
export class DemoView implements DemoObserver {
  readonly #stream: NodeJS.WriteStream;
  readonly #isTerminal: boolean;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#isTerminal = stream.isTTY === true;
  }

  step(nowMs: number, text: string): void {
    this.#stream.write(`${this.#isTerminal ? erase : ""}${clock(nowMs)}  ${text}\n`);
  }

  progress(nowMs: number, devices: readonly DeviceView[], rollout: RolloutView): void {
    if (!this.#isTerminal) return;
    const wanted = rollout.releaseVersion;
    const there = devices.filter(
      ({ running }) => running?.version === wanted && running.confirmed,
    ).length;
    const filled = Math.round((barCharacters * there) / Math.max(1, devices.length));
    const bar = "#".repeat(filled) + "-".repeat(barCharacters - filled);
    this.#stream.write(
      `${erase}${clock(nowMs)}  ${wanted} [${bar}] ${there} of ${devices.length} devices, ${rollout.state}`,
    );
  }

  /** Leaves the moving line. */
  end(): void {
    if (this.#isTerminal) this.#stream.write(erase);
  }
}

/** Virtual time since the start: `day 3 04:10`. */
function clock(nowMs: number): string {
  const minutes = Math.floor(nowMs / 60_000);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `day ${Math.floor(minutes / 1440)} ${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
}
