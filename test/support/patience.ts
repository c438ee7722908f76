import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * The wall time after which a test counts as hung. It is no measure of anything: a machine with
 * many other things to do may take a hundred times what a quiet one takes, and is not failed for
 * it.
 */
export const hangMs = 3_600_000;

export interface PatientResult {
  /** Null when it was ended, for the reason at the end of `stderr`. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const lookEveryMs = 1000;
/** Looks in a row at which the program neither worked nor said a word. */
const idleLooksMax = 600;

/**
 * Runs a program to its end, by its own clock: it may use so much processor time, and may not do
 * nothing at all for ten minutes. How long that takes on the wall is the machine's matter. Where
 * the system does not tell the processor time (no `/proc`), only its words show that it goes on.
 */
export function runPatiently(
  program: string,
  words: readonly string[],
  { cpuSecondsMax }: { readonly cpuSecondsMax: number },
): Promise<PatientResult> {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let ended = "";
  let [seen, idleLooks] = ["", 0];
  const look = setInterval(() => {
    const cpuSeconds = cpuSecondsOf(child.pid ?? 0);
    const now = `${cpuSeconds} ${stdout.length} ${stderr.length}`;
    idleLooks = now === seen ? idleLooks + 1 : 0;
    seen = now;
    if ((cpuSeconds ?? 0) > cpuSecondsMax)
      ended = `\nended: it used ${cpuSeconds} s of processor time`;
    else if (idleLooks > idleLooksMax) ended = `\nended: it did nothing for ${idleLooks} s`;
    if (ended !== "") child.kill("SIGKILL");
  }, lookEveryMs);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr: stderr + ended }));
  }).finally(() => clearInterval(look)) as Promise<PatientResult>;
}

/** Of the process and of those of its children that ended; null where that is not told. */
function cpuSecondsOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // proc(5): behind the name in brackets, of which utime is the 12th field and cstime the 15th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return ticks / ticksPerSecond;
  } catch {
    return null;
  }
}

/** USER_HZ, which Linux tells programs in, is 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;
