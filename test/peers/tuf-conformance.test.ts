import assert from "node:assert/strict";
import { test } from "node:test";
import { findConformance, readReport } from "./tuf-conformance.ts";

test("without a checkout of the suite it says which variable names one", () => {
  const found = findConformance({});
  assert.ok(!found.ok);
  assert.match(found.missing.join("\n"), /TUF_CONFORMANCE/);
});

test("a folder that is no checkout, and a Python that is none, are both told", () => {
  const found = findConformance({ TUF_CONFORMANCE: "/nowhere", TUF_PYTHON: "/no/python" });
  assert.ok(!found.ok);
  assert.match(found.missing.join("\n"), /\/nowhere holds no .*\n.*\/no\/python lacks/);
});

test("only a case that passed counts, and the suite's tests of itself do not", () => {
  const report = {
    tests: [
      { nodeid: "tuf_conformance/test_basic.py::test_a", outcome: "passed" },
      { nodeid: "tuf_conformance/test_basic.py::test_b", outcome: "failed" },
      { nodeid: "tuf_conformance/test_basic.py::test_c", outcome: "xfailed" },
      { nodeid: "tuf_conformance/test_repository_simulator.py::test_d", outcome: "passed" },
    ],
  };
  assert.deepEqual(readReport(JSON.stringify(report)), {
    ok: true,
    passed: 1,
    others: [
      { name: "tuf_conformance/test_basic.py::test_b", result: "failed" },
      { name: "tuf_conformance/test_basic.py::test_c", result: "xfailed" },
    ],
  });
});
