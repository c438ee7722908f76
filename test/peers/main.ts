// Other people's test suites against our commands: npm run test:peers. Exits 2 when a suite is
// missing, 1 when a case failed; the last line counts.
import { projectRoot } from "../../hosts/moddable/sdk.ts";
import { conformanceCasesMin, findConformance, runConformance } from "./tuf-conformance.ts";

const found = findConformance(process.env);
if (found.ok) {
  process.exitCode = await checked(found.suite);
} else {
  for (const line of found.missing) console.error(line);
  process.exitCode = 2;
}

async function checked(suite: {
  readonly folder: string;
  readonly python: string;
}): Promise<0 | 1> {
  const outcome = await runConformance(suite, projectRoot);
  if (!outcome.ok) {
    console.error(outcome.reason);
    return 1;
  }
  const { passed, others } = outcome;
  for (const { name, result } of others) console.log(`${result} ${name}`);
  if (passed < conformanceCasesMin)
    console.log(`the suite has at least ${conformanceCasesMin} client cases`);
  console.log(`tuf-conformance: ${passed} of ${passed + others.length} client cases passed`);
  return others.length === 0 && passed >= conformanceCasesMin ? 0 : 1;
}
