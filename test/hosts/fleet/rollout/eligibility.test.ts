import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type DeviceFacts,
  eligibility,
  type ImageFacts,
} from "../../../../hosts/fleet/rollout/eligibility.ts";
import { unsignedReleaseFacts } from "../../../../src/image/release-facts.ts";

const image: ImageFacts = {
  hardware: "esp32c3-b",
  version: "1.2.0",
  imageHash: "aa".repeat(32),
  securityCounter: 3,
  release: unsignedReleaseFacts,
};
const device: DeviceFacts = {
  hardware: "esp32c3-b",
  running: { version: "1.1.9", imageHash: "bb".repeat(32) },
  runningSecurityCounter: 3,
  refusedImages: new Set(),
};

interface Case {
  readonly name: string;
  readonly device?: Partial<DeviceFacts>;
  readonly image?: Partial<ImageFacts>;
  readonly allowDowngrade?: true;
  readonly approved?: true;
  readonly retryRolledBack?: true;
  readonly reason: string | null;
}

const breaking = { release: { ...unsignedReleaseFacts, breaking: true } };
const both = { release: { ...unsignedReleaseFacts, hardware: ["esp32c3-b", "esp32c3-a"] } };
const stone = {
  release: {
    ...unsignedReleaseFacts,
    steppingStone: { major: 1, minor: 1, revision: 10, build: 0 },
  },
};
const newer = { version: "1.10.0", imageHash: "bb".repeat(32) };

const cases: readonly Case[] = [
  { name: "an older version", reason: null },
  { name: "nothing that it told", device: { running: null }, reason: null },
  { name: "no hardware that is known", device: { hardware: null }, reason: "other-hardware" },
  { name: "other hardware", device: { hardware: "esp32c3-a" }, reason: "other-hardware" },
  {
    name: "the image itself",
    device: { running: { version: "1.2.0", imageHash: image.imageHash } },
    reason: "already-running",
  },
  {
    name: "the same version from another build",
    device: { running: { version: "1.2.0", imageHash: "cc".repeat(32) } },
    reason: null,
  },
  { name: "a newer version", device: { running: newer }, reason: "older-version" },
  {
    name: "a newer version, with downgrades allowed",
    device: { running: newer },
    allowDowngrade: true,
    reason: null,
  },
  {
    name: "a higher security counter",
    device: { runningSecurityCounter: 4 },
    reason: "lower-security-counter",
  },
  {
    name: "a higher security counter, with downgrades allowed",
    device: { runningSecurityCounter: 4 },
    allowDowngrade: true,
    reason: "lower-security-counter",
  },
  {
    name: "a counter, for an image without one",
    image: { securityCounter: null },
    reason: "lower-security-counter",
  },
  {
    name: "an image after it rolled this one back",
    device: { refusedImages: new Set([image.imageHash]) },
    reason: "rolled-back-before",
  },
  {
    name: "an image after it rolled this one back, to be tried again",
    device: { refusedImages: new Set([image.imageHash]) },
    retryRolledBack: true,
    reason: null,
  },
  { name: "another major version", image: { version: "2.0.0" }, reason: "needs-approval" },
  {
    name: "another major version, approved",
    image: { version: "2.0.0" },
    approved: true,
    reason: null,
  },
  { name: "another minor version", image: breaking, reason: "needs-approval" },
  {
    name: "another minor version, where the release is breaking and approved",
    image: breaking,
    approved: true,
    reason: null,
  },
  {
    name: "an older patch of a breaking release",
    device: { running: { version: "1.2.3", imageHash: "bb".repeat(32) } },
    image: { ...breaking, version: "1.2.9" },
    reason: null,
  },
  { name: "something older than the stepping stone", image: stone, reason: "needs-stepping-stone" },
  {
    name: "the stepping stone",
    device: { running: { version: "1.1.10", imageHash: "bb".repeat(32) } },
    image: stone,
    reason: null,
  },
  {
    name: "hardware that the image names beside its own",
    device: { hardware: "esp32c3-a" },
    image: both,
    reason: null,
  },
  {
    name: "hardware that the image leaves out itself",
    device: { hardware: "esp32c3-a" },
    image: { release: { ...unsignedReleaseFacts, hardware: ["esp32c3-a"] } },
    reason: "other-hardware",
  },
];

for (const { name, reason, device: on, image: of, ...permissions } of cases)
  test(`${reason === null ? "offers an image to" : "keeps an image from"} a device with ${name}`, () => {
    const verdict = eligibility(
      { ...device, ...on },
      { ...image, ...of },
      { allowDowngrade: false, approved: false, retryRolledBack: false, ...permissions },
    );
    assert.deepEqual(verdict, reason === null ? { ok: true } : { ok: false, reason });
  });
