import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { withoutPlainHttp } from "../../../src/transfer/plain-http.ts";

/** What becomes of a request to an address. */
function ask(url: string): string {
  let heard = "nothing";
  const request: HttpRequest = {
    method: "GET",
    url,
    headers: {},
    body: null,
    timeoutMs: 1000,
    bodyBytesMax: 10,
  };
  const http = withoutPlainHttp({
    send: () => {
      heard = "sent";
    },
  });
  http.send(request, {
    head: () => true,
    body: () => true,
    done: () => {},
    failed: (failure) => {
      heard = failure;
    },
  });
  return heard;
}

for (const url of [
  "http://fleet.example/",
  "HTTP://fleet.example/",
  "http://10.0.0.1:8080/x",
  "http://localhost:8080/",
  "http://127.0.0.1.fleet.example/",
  "http://127.0.0.1@fleet.example/",
  "http://127.fleet.example/",
  "http://fleet.example/127.0.0.1",
])
  test(`sends nothing to ${url}`, () => {
    assert.equal(ask(url), "http-not-allowed");
  });

for (const url of [
  "https://fleet.example/",
  "http://127.0.0.1",
  "http://127.0.0.1:8080/x",
  "http://127.1.2.3/x?y",
])
  test(`lets ${url} through`, () => {
    assert.equal(ask(url), "sent");
  });
