import type { FastifyRequest } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import type { DeviceEntry } from "../../operations/known-devices.ts";
import { addEvent } from "../../storage/events.ts";
import { faultOf } from "../../terms/faults.ts";

/** What a token was sent for. */
export interface TokenSubject {
  readonly name: string;
  readonly kind: "admin-token-refused" | "gateway-token-refused" | "device-token-refused";
}

/**
 * How long until a token from where this request comes is looked at again, in seconds; 0 for now.
 */
export function pauseOf(fleet: Fleet, request: FastifyRequest, { name }: TokenSubject): number {
  return fleet.attempts.pauseSeconds(name, request.raw.socket.remoteAddress);
}

export function pauseText(seconds: number): string {
  return `too many wrong tokens came from this address; ask again in ${seconds} s`;
}

/** `device`: whose own token it was, if it was a device's. */
export function noteRight(
  fleet: Fleet,
  request: FastifyRequest,
  { name, kind }: TokenSubject,
  device: DeviceEntry | null = null,
): void {
  const { remoteAddress } = request.raw.socket;
  fleet.attempts.succeed(name, remoteAddress);
  if (device !== null && kind === "device-token-refused")
    device.knownFrom = fleet.addresses.mark(remoteAddress);
}

/** Slows the next one, and tells log and events of it now and then. */
export async function noteWrong(
  fleet: Fleet,
  request: FastifyRequest,
  { name, kind }: TokenSubject,
): Promise<void> {
  const { remoteAddress } = request.raw.socket;
  if (kind === "device-token-refused") fleet.addresses.fail(remoteAddress);
  const { failures, isNoted } = fleet.attempts.fail(name, remoteAddress);
  if (!isNoted) return;
  const details = { address: remoteAddress ?? "", failures };
  request.log.warn({ ...details, subject: name }, "a wrong token was refused");
  try {
    await fleet.database.write(({ db, nowUnixMs }) =>
      addEvent(db, { kind, details: { ...details, subject: name } }, nowUnixMs),
    );
  } catch (error) {
    if (faultOf(error) === null) throw error; // the log has it
  }
}
