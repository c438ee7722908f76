import type { Way } from "../rollout/stepping-stones.ts";
import type { FirmwareImage } from "./releases.ts";

/** Most of a fleet runs one of a few releases, and goes the same way. */
const waysMax = 1000;

/** The ways of devices that are alike, found once for each plan. */
export class Ways {
  readonly #ways = new Map<string, Way<FirmwareImage>>();
  #plan = 0;

  of(plan: number, device: unknown, find: () => Way<FirmwareImage>): Way<FirmwareImage> {
    if (plan !== this.#plan || this.#ways.size >= waysMax) this.#ways.clear();
    this.#plan = plan;
    const key = JSON.stringify(device);
    const known = this.#ways.get(key);
    if (known !== undefined) return known;
    const way = find();
    this.#ways.set(key, way);
    return way;
  }
}
