import { type Command, InvalidArgumentError } from "commander";
import type { NewRolloutBody } from "../../fleet/routes/management/schemas/rollouts.ts";
import { CommandError, exitCodes } from "../command/exit.ts";

export interface RateFlags {
  readonly rate?: number;
  readonly rateGrowth?: number;
  readonly rateMax?: number;
}

/** How fast a rollout offers its release. */
export function addRateOptions(command: Command): Command {
  return command
    .option(
      "--rate <n/min>",
      "offer it to at most so many devices a minute, such as 100/min",
      readRate,
    )
    .option(
      "--rate-growth <factor>",
      "multiply the rate with it every hour, such as 1.5",
      readGrowth,
    )
    .option("--rate-max <n/min>", "let it grow no further than this", readRate);
}

/** Empty without a rate: the release is offered as fast as devices come. */
export function rateOf({ rate, rateGrowth, rateMax }: RateFlags): Pick<NewRolloutBody, "rate"> {
  if (rate === undefined && (rateGrowth !== undefined || rateMax !== undefined))
    throw new CommandError(
      "--rate-growth and --rate-max are of --rate, which is missing",
      exitCodes.usage,
    );
  if (rate === undefined) return {};
  return {
    rate: {
      offersPerMinute: rate,
      ...(rateGrowth === undefined ? {} : { growthPerHour: rateGrowth }),
      ...(rateMax === undefined ? {} : { offersPerMinuteMax: rateMax }),
    },
  };
}

function readRate(text: string): number {
  const rate = Number(/^(\d{1,7})(?:\/min)?$/.exec(text)?.[1] ?? 0);
  if (rate >= 1 && rate <= 1_000_000) return rate;
  throw new InvalidArgumentError("Must be 1 to 1000000 a minute, such as 100 or 100/min.");
}

function readGrowth(text: string): number {
  const factor = /^\d{1,3}(?:\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (factor >= 1 && factor <= 100) return factor;
  throw new InvalidArgumentError("Must be a factor from 1 to 100, such as 1.5.");
}
