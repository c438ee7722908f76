import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeText } from "../../../hosts/esp32/size-limits.ts";

test("a size is told with its limit, and by how much it is missed", () => {
  assert.equal(sizeText(1000, 1000), "1,000 of 1,000 bytes");
  assert.equal(sizeText(1200, 1000), "1,200 of 1,000 bytes: 200 too many");
});
