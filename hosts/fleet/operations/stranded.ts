import type { Candidate } from "./eligible.ts";

/** Devices that are named; the others are counted. */
const namedMax = 20;
/** Versions that are told apart in the text. */
const versionsToldMax = 10;

/** Devices that no allowed step leads to the release of a rollout, by what they run. */
export class Stranded {
  readonly #versions = new Map<string, number>();
  readonly #named: string[] = [];
  #count = 0;

  add({ id, hardware, running_version: version }: Candidate): void {
    this.count({ hardware, version }, 1);
    if (this.#named.length < namedMax) this.#named.push(id);
  }

  /** Devices that are not named. */
  count(
    { hardware, version }: { readonly hardware: string | null; readonly version: string | null },
    devices: number,
  ): void {
    const key = `${version} (${hardware})`;
    this.#versions.set(key, (this.#versions.get(key) ?? 0) + devices);
    this.#count += devices;
  }

  /** What to tell whoever plans the rollout, with the next step; null when there are none. */
  refusal(releaseVersion: string, approved: boolean): string | null {
    if (this.#count === 0) return null;
    const versions = [...this.#versions].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    const told = versions.slice(0, versionsToldMax).map(([key, count]) => `${count} on ${key}`);
    const moreVersions = versions.length - told.length;
    const more = moreVersions > 0 ? `, and ${moreVersions} other versions` : "";
    const unnamed = this.#count - this.#named.length;
    const others = unnamed > 0 ? ` and ${unnamed} others` : "";
    const names = this.#named.length === 0 ? "" : `: ${this.#named.join(", ")}${others}`;
    const approve = approved
      ? ""
      : ", approve the steps to another major or breaking version (--approve)";
    return (
      `no allowed step leads ${this.#count === 1 ? "one device" : `${this.#count} devices`} to release ${releaseVersion}: ` +
      `${told.join(", ")}${more}${names}; publish the stepping stone that they lack${approve}, ` +
      "or leave them where they are (--leave-behind)"
    );
  }
}
