import { parseHttpAddress } from "../protocol/http-address.ts";

/** More would not fit a board's memory beside everything else. */
const hostsMax = 8;

export type RedirectHosts =
  | { readonly ok: true; readonly hosts: readonly string[] }
  | { readonly ok: false; readonly message: string };

/**
 * Reads the setting `redirectHosts` of a build: whole names of hosts, in a list or in a text with
 * commas between. None of a list with a mistake counts.
 */
export function readRedirectHosts(given: string | readonly string[] | undefined): RedirectHosts {
  const names = typeof given === "string" ? given.split(",") : (given ?? []);
  const hosts = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== "");
  const wrong = hosts.find((name) => !isHost(name));
  if (wrong !== undefined)
    return refused(`"${wrong}" is no name of a host such as cdn.example, without scheme and port`);
  if (hosts.length > hostsMax)
    return refused(`${hosts.length} hosts, a device takes at most ${hostsMax}`);
  return { ok: true, hosts };
}

function refused(why: string): RedirectHosts {
  return { ok: false, message: `redirectHosts: ${why}` };
}

function isHost(name: string): boolean {
  const address = parseHttpAddress(`https://${name}`);
  return address.ok && address.host === name;
}
