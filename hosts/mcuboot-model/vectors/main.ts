import { runVectors } from "./command.ts";

const folders = process.argv.slice(2);
if (folders.length === 0) process.stderr.write("Usage: npm run vectors -- DIR...\n");
const { lines, exitCode } = runVectors(folders);
process.stdout.write(`${lines.join("\n")}\n`);
process.exitCode = exitCode;
