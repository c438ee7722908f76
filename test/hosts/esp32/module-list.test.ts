import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readModules, writeModules } from "../../../hosts/esp32/module-list.ts";

/** In the form of what mcconfig writes for one module of JavaScript and one of TypeScript. */
const written = `set(TMP_DIR /build)
list(APPEND preloadsNATIVE -p ~.embedded/update.xsb)
list(APPEND mMODULES \${MODULES_DIR}/~.embedded/update.xsb)
list(APPEND mMODULES \${MODULES_DIR}/sluice/agent.xsb)
list(APPEND mOBJECTS /sdk/io/_pwm.c)
list(APPEND mOBJECTS /sdk/io/udp.c)
cmake_path(CONVERT "/project/update.js" TO_NATIVE_PATH_LIST the_source)
add_custom_command(
	OUTPUT \${MODULES_DIR}/~.embedded/update.xsb
	COMMAND xsc \${the_source} -c -e -o \${the_output} -r update
	VERBATIM)
cmake_path(CONVERT "\${TMP_DIR}/tsc/sluice/agent/project/agent.js" TO_NATIVE_PATH_LIST the_source)
add_custom_command(
	OUTPUT \${MODULES_DIR}/sluice/agent.xsb
	COMMAND xsc \${the_source} -c -e -o \${the_output} -r agent
	VERBATIM
)

# --- suffix file
`;

function inFile<T>(use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "sluice-modules-"));
  try {
    const path = join(folder, "CMakeLists.txt");
    writeFileSync(path, written);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a module is known by what programs import it by, and by the source that it was written in", () => {
  const modules = inFile(readModules);
  assert.deepEqual(modules.get("embedded:update"), {
    name: "embedded:update",
    file: "~.embedded/update.xsb",
    source: "/project/update.js",
    isPreloaded: true,
  });
  assert.deepEqual(modules.get("sluice/agent"), {
    name: "sluice/agent",
    file: "sluice/agent.xsb",
    source: "/project/agent.ts",
    isPreloaded: false,
  });
});

test("a module that was made again is compiled from what it was made of, once", () => {
  const text = inFile((path) => {
    const update = readModules(path).get("embedded:update");
    const agent = readModules(path).get("sluice/agent");
    assert.ok(update !== undefined && agent !== undefined);
    const made = [{ ...update, source: "/made/update.js" }];
    writeModules(path, { dropped: [agent], made, preloaded: [], unusedNatives: ["/_pwm.c"] });
    return readFileSync(path, "utf8");
  });
  assert.equal(text.match(/OUTPUT \$\{MODULES_DIR\}\/~\.embedded\/update\.xsb/g)?.length, 1);
  assert.match(
    text,
    /COMMAND xsc \/made\/update\.js -c -e -o \$\{MODULES_DIR\}\/~\.embedded -r update/,
  );
  assert.equal(text.match(/preloadsNATIVE -p ~\.embedded\/update\.xsb/g)?.length, 1);
  assert.doesNotMatch(text, /mMODULES \$\{MODULES_DIR\}\/sluice\/agent/);
  assert.doesNotMatch(text, /_pwm\.c/);
  assert.match(text, /udp\.c/);
});
