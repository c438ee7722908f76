// A fleet server in a process of its own, whose turns are watched. watched-process.ts starts it.
import { join } from "node:path";
import { createFleet } from "../fleet/app.ts";
import { systemClock } from "../fleet/time/clock.ts";
import { commandSigner } from "../release/keys/external-signer.ts";
import { type Turns, TurnWatch } from "./turn-watch.ts";

export interface WatchedWishes {
  readonly directory: string;
  readonly imageKeys: readonly string[];
  /** A signer behind a command, for signed metadata; null goes without. */
  readonly online: { readonly command: string; readonly publicKeyHex: string } | null;
}

export interface WatchedAnswer {
  readonly url: string;
  /** Since the answer before. */
  readonly turns: Turns;
}

const wishes = JSON.parse(process.argv[2] ?? "{}") as WatchedWishes;
const databaseFile = join(wishes.directory, "fleet.sqlite");
const { online } = wishes;
const fleet = await createFleet({
  databaseFile,
  artifactsFolder: join(wishes.directory, "artifacts"),
  clock: systemClock,
  ticksEveryMs: 1000,
  imageKeys: wishes.imageKeys,
  ...(online === null
    ? {}
    : {
        trust: {
          folder: join(wishes.directory, "trust"),
          onlineSigner: commandSigner(online.command, Buffer.from(online.publicKeyHex, "hex")),
        },
      }),
});
const url = await fleet.app.listen({ port: 0, host: "127.0.0.1" });
const ticking = setInterval(() => void fleet.tick().catch(() => {}), 1000); // what fails is not asked for here
const watch = new TurnWatch();

process.on("message", async (order: "turns" | "close") => {
  if (order === "turns") return answer();
  clearInterval(ticking);
  watch.close();
  await fleet.close();
  process.disconnect();
});
answer();

function answer(): void {
  const turns = watch.take();
  // What was done so far left garbage that is not to be collected in the turns that come.
  globalThis.gc?.();
  watch.take();
  process.send?.({ url, turns } satisfies WatchedAnswer);
}
