import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { linkModules } from "../../../hosts/esp32/link-modules.ts";
import type { FirmwareModule } from "../../../hosts/esp32/module-list.ts";
import { unusedParts } from "../../../hosts/esp32/optional-modules.ts";

interface Source {
  readonly text: string;
  readonly isPreloaded?: boolean;
}

/** Links modules that are given by their names; `main` starts. */
async function link(sources: Readonly<Record<string, Source>>) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-link-"));
  try {
    const modules = new Map<string, FirmwareModule>();
    for (const [name, { text, isPreloaded = false }] of Object.entries(sources)) {
      const source = join(folder, `${name.replace(/\W/g, "-")}.ts`);
      writeFileSync(source, text);
      modules.set(name, { name, file: `${name}.xsb`, source, isPreloaded });
    }
    const linked = await linkModules({ modules, main: "main", folder: join(folder, "linked") });
    const names = (list: readonly FirmwareModule[]) => list.map(({ name }) => name).sort();
    const texts = linked.made.map(({ name, source }) => [name, readFileSync(source, "utf8")]);
    return {
      dropped: names(linked.dropped),
      preloaded: names(linked.preloaded),
      reached: linked.reached,
      texts: Object.fromEntries(texts) as Record<string, string>,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const main = { text: `import { start } from "library"; start();` };

test("preloaded modules become one, and what nothing uses is not in it", async () => {
  const { dropped, texts } = await link({
    main,
    library: {
      text: `import { used } from "inner"; export const start = () => used("yes");`,
      isPreloaded: true,
    },
    inner: {
      isPreloaded: true,
      text: `export const used = (x: string) => x; export const unused = () => "no";`,
    },
    "sluice/unused": { text: `export const never = "imported";` },
  });
  assert.deepEqual(dropped, ["inner", "library", "sluice/unused"]);
  assert.deepEqual(Object.keys(texts), ["linked", "library"]);
  assert.match(texts["linked"] ?? "", /"yes"/);
  assert.doesNotMatch(texts["linked"] ?? "", /"no"/);
  assert.equal(texts["library"], 'export { library_start as start } from "linked";\n');
});

test("the main module stays by itself, since it starts and is not preloaded", async () => {
  const { dropped } = await link({ main, library: { text: `export const start = () => 1;` } });
  assert.deepEqual(dropped, []);
});

test("a module of the application stays although nothing names it: it may make the name", async () => {
  const { dropped, reached } = await link({ main: { text: "" }, page: { text: "export {};" } });
  assert.deepEqual(dropped, []);
  assert.ok(reached.has("page"));
});

test("a module that talks to C stays as the SDK compiles it, with all that it imports", async () => {
  const { dropped, preloaded, texts } = await link({
    main,
    library: {
      text: `import Chip from "chip"; import { both } from "shared"; export const start = () => both(Chip);`,
      isPreloaded: true,
    },
    chip: {
      isPreloaded: true,
      text: `import { both } from "shared"; export default { on() { return native("on").call(this); }, both };`,
    },
    shared: { isPreloaded: true, text: `export const both = (x: unknown) => x;` },
  });
  assert.deepEqual(dropped, ["library"]);
  assert.deepEqual(preloaded, ["chip", "shared"]);
  assert.match(texts["linked"] ?? "", /from "chip"/);
  assert.match(texts["linked"] ?? "", /from "shared"/);
});

test("a text with the sign of the SDK's natives in it makes no module one", async () => {
  const { dropped } = await link({
    main,
    library: { text: `export const start = () => "a@b".includes("@");`, isPreloaded: true },
  });
  assert.deepEqual(dropped, ["library"]);
});

test("what the SDK runs before main keeps its name, preloaded or not", async () => {
  const { dropped, texts } = await link({
    main: { text: "" },
    "setup/lights": {
      text: `import { on } from "library"; export default (done: () => void) => on(done);`,
      isPreloaded: true,
    },
    library: { text: `export const on = (done: () => void) => done();`, isPreloaded: true },
  });
  assert.deepEqual(dropped, ["library"]);
  assert.deepEqual(Object.keys(texts), ["linked", "library"]);
});

test("a module that is imported as a whole from outside keeps its name", async () => {
  const { dropped } = await link({
    main: { text: `import * as all from "library"; all.start();` },
    library: { text: `export const start = () => 1;`, isPreloaded: true },
  });
  assert.deepEqual(dropped, []);
});

test("a preloaded module that is there for what it does is kept", async () => {
  const { texts } = await link({
    main: { text: "" },
    globals: { text: `Object.assign(globalThis, { answer: "forty-two" });`, isPreloaded: true },
  });
  assert.match(texts["linked"] ?? "", /forty-two/);
});

test("what the SDK preloads for every firmware goes with its drivers when nothing imports it", async () => {
  const pwm = { text: `export default class PWM {}`, isPreloaded: true };
  const without = await link({ main: { text: "" }, "embedded:io/pwm": pwm });
  assert.deepEqual(without.dropped, ["embedded:io/pwm"]);
  assert.match(unusedParts(without.reached).configuration, /^CONFIG_PWM=n$/m);
  assert.ok(unusedParts(without.reached).natives.includes("/_pwm.c"));
  const using = { text: `import PWM from "embedded:io/pwm"; new PWM();` };
  const { reached } = await link({ main: using, "embedded:io/pwm": pwm });
  assert.doesNotMatch(unusedParts(reached).configuration, /CONFIG_PWM/);
});

test("TLS that only the firmware uses is without what it never comes to", async () => {
  const tls = {
    "ssl/session": {
      text: `import Certificates from "ssl/cert";
import handshake from "ssl/handshake";
export default class Session { all = Certificates; parts = handshake; }`,
      isPreloaded: true,
    },
    "ssl/handshake": {
      text: `export default {
\tserverHello: {
\t\tunpacketize() {
\t\t\treturn "for clients";
\t\t},
\t\tpacketize() {
\t\t\treturn "for servers";
\t\t},
\t},
};
`,
      isPreloaded: true,
    },
    "ssl/cert": { text: `export default "the SDK's certificates";`, isPreloaded: true },
    "sluice/secure": {
      text: `import Session from "ssl/session"; export const start = () => new Session();`,
      isPreloaded: true,
    },
  };
  const firmware = await link({
    ...tls,
    main: { text: `import { start } from "sluice/secure"; start();` },
  });
  assert.doesNotMatch(firmware.texts["linked"] ?? "", /the SDK's certificates|for servers/);
  assert.match(firmware.texts["linked"] ?? "", /for clients/);
  const application = await link({
    ...tls,
    main: {
      text: `import { start } from "sluice/secure"; import Session from "ssl/session"; start(); new Session();`,
    },
  });
  assert.match(application.texts["linked"] ?? "", /the SDK's certificates/);
  assert.match(application.texts["linked"] ?? "", /for servers/);
});
