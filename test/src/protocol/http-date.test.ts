import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHttpDate } from "../../../src/protocol/http-date.ts";

// RFC 9110, 5.6.7
for (const text of [
  "Sun, 06 Nov 1994 08:49:37 GMT",
  "Sunday, 06-Nov-94 08:49:37 GMT",
  "Sun Nov  6 08:49:37 1994",
])
  test(`reads the date ${text}`, () => {
    assert.equal(parseHttpDate(text), Date.UTC(1994, 10, 6, 8, 49, 37));
  });

for (const text of ["", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT"])
  test(`takes "${text}" for no date`, () => {
    assert.equal(parseHttpDate(text), null);
  });
