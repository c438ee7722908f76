import type { Command } from "commander";
import { linkBoard, wireBaud } from "../../esp32/wire/board-link.ts";
import type { Target } from "../../esp32/wire/connection.ts";
import { hostAddress } from "../../esp32/wire/serial-network.ts";
import { SerialPortError } from "../../esp32/wire/serial-port.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note } from "../command/output.ts";
import { wholeNumber } from "../options/options.ts";
import { defaultFleetUrl } from "../server/fleet-client.ts";

interface LinkFlags {
  readonly port: string;
  readonly fleet: string;
  readonly baud: number;
}

const baudMin = 9600;
const baudMax = 4_000_000;

/** `sluice board link` */
export function registerBoardLink(group: Command): void {
  group
    .command("link")
    .description("Be the other end of a board's network wire, until it is interrupted")
    .requiredOption("--port <device>", "serial port of the wire, such as /dev/ttyUSB1")
    .option("--fleet <url>", "where the board's connections lead", defaultFleetUrl())
    .option(
      "--baud <number>",
      "speed of the wire, as the board has it",
      wholeNumber({ min: baudMin, max: baudMax }),
      wireBaud,
    )
    .action(link);
}

async function link({ port, fleet, baud }: LinkFlags, command: Command): Promise<void> {
  const { target, scheme } = targetOf(fleet);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  note(command, `the board reaches it as ${scheme}//${hostAddress}:${target.port} (Ctrl-C ends)`);
  if (scheme === "http:" && !isLoopback(target.host))
    note(command, `note: what the board says goes on to ${target.host} in plain text`);
  try {
    const say = (line: string): void => note(command, line);
    await linkBoard({ path: port, baud, target, say, signal: ending.signal });
  } catch (error) {
    if (error instanceof SerialPortError) throw new CommandError(error.message);
    throw error;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, end);
  }
}

function targetOf(fleet: string): { target: Target; scheme: string } {
  const url = URL.canParse(fleet) ? new URL(fleet) : null;
  const scheme = url?.protocol ?? "";
  if (url === null || (scheme !== "http:" && scheme !== "https:") || url.pathname !== "/")
    throw new CommandError(
      `--fleet ${fleet}: give http(s)://host:port, without a path`,
      exitCodes.usage,
    );
  const port = url.port === "" ? (scheme === "https:" ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { target: { host, port }, scheme };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}
