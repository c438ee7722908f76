/** Variables that hold what no program started by a command may see. */
const secretVariables = [
  "SLUICE_PASSPHRASE",
  "SLUICE_PKCS11_PIN",
  "SLUICE_TOKEN",
  "SLUICE_GATEWAY_TOKEN",
] as const;

const held = new Map<string, string>();

/**
 * Takes the secrets out of the environment, which every program that a command starts gets a copy
 * of: `exec:` signers, compilers, esptool. `more` are the variables that options name. Answers what
 * puts them back.
 */
export function withholdSecrets(more: readonly string[]): () => void {
  const before = new Map(held);
  const taken: [string, string][] = [];
  for (const name of [...secretVariables, ...more]) {
    const value = process.env[name];
    if (value === undefined) continue;
    taken.push([name, value]);
    held.set(name, value);
    delete process.env[name];
  }
  return () => {
    held.clear();
    for (const [name, value] of before) held.set(name, value);
    for (const [name, value] of taken) process.env[name] = value;
  };
}

/** A secret that was typed once counts until the command ends, as if its variable had been set. */
export function holdSecret(name: (typeof secretVariables)[number], value: string): void {
  held.set(name, value);
}

/** The value of a variable, withheld or not. */
export function secretVariable(name: string): string | undefined {
  return held.get(name) ?? process.env[name];
}
