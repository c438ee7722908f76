import type { FastifyRequest } from "fastify";
import { isSameDigest, tokenSha256 } from "../../access/tokens.ts";
import { changeDevice } from "../../operations/change-device.ts";
import { findEntry, registerDevice } from "../../operations/contact.ts";
import type { Fleet } from "../../operations/fleet.ts";
import type { DeviceEntry } from "../../operations/known-devices.ts";
import { listSpelledOtherwise, updateDevice } from "../../storage/devices.ts";
import { faultOf } from "../../terms/faults.ts";
import { limits } from "../../terms/limits.ts";
import type { DeviceId } from "../../terms/names.ts";
import type { CertificateRules } from "./certificate.ts";

export interface DeviceAccess {
  /** In upper case; the only tenant of this server. */
  readonly tenant: string;
  /** Null: no gateway may register devices. */
  readonly gatewayTokenSha256: string | null;
  readonly certificates: CertificateRules | null;
}

/** The request speaks for a device that is registered under another spelling of the id. */
export interface SpelledOtherwise {
  readonly knownAs: DeviceId;
}

/**
 * Who asks. A gateway's first request for an unknown device registers it (DDI v1). Null is 401,
 * whatever is wrong: the answer does not tell whether the tenant, the device or the token is
 * unknown. `certificateBy` says whose certificate the request came with: the device's own may be
 * enough, for a device that an operator added.
 */
export async function authenticate(
  fleet: Fleet,
  access: DeviceAccess,
  request: FastifyRequest,
  certificateBy: "device" | "gateway" | null,
): Promise<DeviceEntry | SpelledOtherwise | null> {
  const { tenant = "", deviceId = "" } = request.params as Record<string, string>;
  if (tenant.toUpperCase() !== access.tenant) return null;
  const { authorization } = request.headers;
  if (authorization === undefined && certificateBy === "device")
    return access.certificates?.isEnough === true
      ? ((await findEntry(fleet, deviceId)) ?? spelledOtherwise(fleet, deviceId, null))
      : null;
  const credentials = parseAuthorization(authorization);
  if (credentials === null) return null;
  const { scheme, token } = credentials;
  if (scheme === "gatewaytoken") {
    if (access.gatewayTokenSha256 === null) return null;
    if (!isSameDigest(tokenSha256(token), access.gatewayTokenSha256)) return null;
    const known = await findEntry(fleet, deviceId);
    if (known !== null) return known;
    const made = await registerDevice(fleet, { id: deviceId, hardware: null, tokenMac: null });
    if (made.ok) return made.entry;
    return made.reason === "spelled-otherwise" ? { knownAs: made.knownAs } : null;
  }
  if (certificateBy === "gateway") return null; // it speaks with its own token, not with a device's
  const entry = await findEntry(fleet, deviceId);
  if (entry === null) return spelledOtherwise(fleet, deviceId, token);
  const fit = fleet.tokens.fits(token, entry.row);
  if (fit === "old") await keepMac(fleet, entry, token);
  return fit === "no" ? null : entry;
}

/**
 * The device under which the same MAC address or UUID is registered. Only whoever has its token
 * (null: whose certificate was enough) is told of it.
 */
async function spelledOtherwise(
  fleet: Fleet,
  deviceId: string,
  token: string | null,
): Promise<SpelledOtherwise | null> {
  for (const knownAs of await listSpelledOtherwise(fleet.database.queries, deviceId)) {
    const entry = await findEntry(fleet, knownAs);
    if (entry === null) continue;
    if (token === null || fleet.tokens.fits(token, entry.row) !== "no") return { knownAs };
  }
  return null;
}

/** The plain digest of before gives way. A disk that is full now costs the device nothing. */
async function keepMac(fleet: Fleet, entry: DeviceEntry, token: string): Promise<void> {
  const columns = { token_mac: fleet.tokens.mac(token), token_sha256: null };
  try {
    await changeDevice(fleet, entry, async ({ unit }) => {
      await updateDevice(unit.db, entry.id, columns);
      unit.onCommit(() => {
        entry.row = { ...entry.row, ...columns };
      });
    });
  } catch (error) {
    if (faultOf(error) === null) throw error; // else the next request tries again
  }
}

function parseAuthorization(
  header: string | undefined,
): { readonly scheme: "targettoken" | "gatewaytoken"; readonly token: string } | null {
  const match = /^(TargetToken|GatewayToken) +(\S+) *$/i.exec(header ?? "");
  const [, scheme, token] = match ?? [];
  if (scheme === undefined || token === undefined || token.length > limits.tokenCharactersMax)
    return null;
  return { scheme: scheme.toLowerCase() as "targettoken" | "gatewaytoken", token };
}
