import { replayFolder } from "./replay.ts";

// npm run vectors -- DIR...: replays recorded boots; the last line counts, the exit code is 0 only without a failure.

const folders = process.argv.slice(2);
if (folders.length === 0) {
  process.stderr.write("Usage: npm run vectors -- DIR...\n");
  process.exitCode = 64;
}
let passed = 0;
let failed = 0;
for (const path of folders) {
  const report = replayFolder(path);
  passed += report.passed;
  failed += report.failures.length;
  for (const { name, differences } of report.failures) {
    process.stdout.write(`FAILED ${name} (${path})\n`);
    for (const difference of differences) process.stdout.write(`  ${difference}\n`);
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
if (folders.length > 0) process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
