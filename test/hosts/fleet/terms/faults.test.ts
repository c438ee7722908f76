import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf } from "../../../../hosts/fleet/terms/faults.ts";

const fileErrors: ReadonlyArray<readonly [string, RegExp]> = [
  ["EROFS", /read-only; mount it/],
  ["EACCES", /check its owner and mode/],
  ["EPERM", /check its owner and mode/],
  ["EIO", /check the disk/],
  ["EFBIG", /larger than/],
  ["EMFILE", /ulimit -n/],
  ["ENFILE", /end other programs/],
  ["ENOTDIR", /move that away/],
  ["EEXIST", /move that away/],
  ["EISDIR", /move that away/],
  ["ENOENT", /check its disk is mounted, or restore it/],
  ["ESTALE", /mount it again/],
  ["ENOSPC", /make room/],
  ["EDQUOT", /make room/],
];
for (const [code, step] of fileErrors)
  test(`a file that ends in ${code} is told by its path, with the next step`, () => {
    const error = new Error(`${code}: words of the system, open '/data/x'`);
    const fault = faultOf(Object.assign(error, { code, path: "/data/x", syscall: "open" }));
    assert.ok(fault !== null);
    assert.match(fault.message, step);
    assert.match(fault.message, /\/data\/x|the disk is full/);
    assert.doesNotMatch(fault.message, /words of the system/);
    assert.equal(fault.status, step.source === "make room" ? 507 : 503);
  });

test("a file without a path is told in the words of the system", () => {
  const fault = faultOf(Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" }));
  assert.match(fault?.message ?? "", /EIO: i\/o error, write.*check the disk/);
});

test("what says nothing of the machine is a defect of ours", () => {
  assert.equal(faultOf(new TypeError("x is undefined")), null);
  assert.equal(faultOf(Object.assign(new Error("?"), { code: "ERR_ASSERTION" })), null);
  assert.equal(faultOf("text"), null);
});
