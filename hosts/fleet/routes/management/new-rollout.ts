import type { JsonObject } from "../../../../src/protocol/json.ts";
import { releaseNameOf } from "../../operations/configurations.ts";
import type { Fleet } from "../../operations/fleet.ts";
import { findPolicyNamed, type Policy, rulesOf } from "../../operations/policies.ts";
import type { NewRollout } from "../../operations/rollouts.ts";
import {
  defaultActionSeconds,
  defaultCancelSeconds,
  defaultProofSeconds,
  withThreshold,
} from "../../rollout/definition.ts";
import { defaultPolicyName } from "../../rollout/policy.ts";
import { type OfferRate, offersPerMinuteMax, whyNoRate } from "../../rollout/rate.ts";
import { readRolloutWindows } from "../../rollout/windows-document.ts";
import type { NewRolloutBody } from "./schemas/rollouts.ts";

/** What a body asks for, whose schema cannot say all of it. */
export async function readNewRollout(
  fleet: Fleet,
  body: NewRolloutBody,
): Promise<
  | { readonly ok: true; readonly wanted: NewRollout }
  | {
      readonly ok: false;
      readonly status: 400 | 404 | 422;
      readonly reason: string;
      readonly message: string;
    }
> {
  const { releaseVersion, configurationVersion } = body;
  const refuse = (reason: string, message: string, status: 400 | 404 | 422 = 400) =>
    ({ ok: false, status, reason, message }) as const;
  if ((releaseVersion === undefined) === (configurationVersion === undefined))
    return refuse("invalid-request", "give either releaseVersion or configurationVersion");
  const windowsDocument = windowsOf(body);
  const windows = readRolloutWindows(windowsDocument ?? {});
  if (windowsDocument !== null && !windows.ok) return refuse("windows-invalid", windows.message);
  const rateProblem = whyNoRate(rateOf(body));
  if (rateProblem !== null) return refuse("rate-invalid", rateProblem, 422);
  const version = releaseVersion ?? releaseNameOf(configurationVersion ?? 0);
  const { policy: name = defaultPolicyName, policyVersion = null } = body;
  const policy = await findPolicyNamed(fleet.database.queries, name, policyVersion);
  if (policy !== null) return { ok: true, wanted: wantedOf(body, version, policy) };
  const which = policyVersion === null ? name : `${name} of version ${policyVersion}`;
  const message = `there is no policy ${which}: "sluice policy list" tells them`;
  return refuse("unknown-policy", message, 404);
}

/** The rules of the policy that is named, else of the default, with what the body says instead. */
function wantedOf(body: NewRolloutBody, releaseVersion: string, policy: Policy): NewRollout {
  const rules = rulesOf(body, policy.rules);
  const isOwn = (["stages", "abort"] as const).some((name) => body[name] !== undefined);
  return {
    name: body.name,
    releaseVersion,
    start: body.start ?? false,
    beside: body.beside ?? false,
    leaveBehind: body.leaveBehind ?? false,
    definition: {
      ...rules,
      abort: withThreshold(rules.abort, body.haltThreshold ?? {}),
      policy: isOwn ? null : { name: policy.name, version: policy.version },
      selector: body.selector ?? {},
      proofSeconds: body.proofSeconds ?? defaultProofSeconds,
      actionSeconds: body.actionSeconds ?? defaultActionSeconds,
      cancelSeconds: body.cancelSeconds ?? defaultCancelSeconds,
      rate: rateOf(body),
      imageIds: null,
      stepImageIdMax: null,
      mode: body.mode ?? "forced",
      needsConfirmation: body.needsConfirmation ?? false,
      allowDowngrade: body.allowDowngrade ?? false,
      approved: body.approved ?? false,
      retryRolledBack: body.retryRolledBack ?? false,
      windows: windowsOf(body),
      acceptReported: body.acceptReported ?? false,
    },
  };
}

/** A rate that does not grow stays; one that does has an end all the same. */
function rateOf({ rate = null }: NewRolloutBody): OfferRate | null {
  if (rate === null) return null;
  const { offersPerMinute, growthPerHour = 1 } = rate;
  const highest = growthPerHour === 1 ? offersPerMinute : offersPerMinuteMax;
  return {
    offersPerMinute,
    growthPerHour,
    offersPerMinuteMax: rate.offersPerMinuteMax ?? highest,
  };
}

/** A body is JSON, which its schema does not say of what is in the document of the windows. */
function windowsOf({ windows = null }: NewRolloutBody): JsonObject | null {
  return windows as JsonObject | null;
}
