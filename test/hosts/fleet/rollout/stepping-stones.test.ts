import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type DeviceFacts,
  eligibility,
  type ImageFacts,
  type RolloutPermissions,
} from "../../../../hosts/fleet/rollout/eligibility.ts";
import { stepsMax, wayTo } from "../../../../hosts/fleet/rollout/stepping-stones.ts";
import { unsignedReleaseFacts } from "../../../../src/image/release-facts.ts";
import { compareVersions, parseVersion } from "../../../../src/image/version.ts";

const hardware = "esp32c3-b";
const plain = { allowDowngrade: false, approved: false, retryRolledBack: false };
const approved = { ...plain, approved: true };

interface Wishes {
  readonly stone?: string;
  readonly breaking?: boolean;
  readonly counter?: number;
  readonly hardware?: string;
}

function release(version: string, wishes: Wishes = {}): ImageFacts {
  const steppingStone = wishes.stone === undefined ? null : parseVersion(wishes.stone);
  return {
    hardware: wishes.hardware ?? hardware,
    version,
    imageHash: `hash of ${version}`,
    securityCounter: wishes.counter ?? 1,
    release: { ...unsignedReleaseFacts, steppingStone, breaking: wishes.breaking ?? false },
  };
}

function running(version: string, more: Partial<DeviceFacts> = {}): DeviceFacts {
  return {
    hardware,
    running: { version, imageHash: `hash of ${version}` },
    runningSecurityCounter: 1,
    refusedImages: new Set(),
    ...more,
  };
}

/** The versions of the way, or the reason why there is none. */
function told(
  device: DeviceFacts,
  target: ImageFacts,
  published: readonly ImageFacts[],
  permissions: RolloutPermissions = plain,
): string {
  const way = wayTo(device, target, published, permissions);
  return way.ok ? way.images.map(({ version }) => version).join(" ") : way.reason;
}

const stone15 = release("1.5.0");
const last = release("1.9.0", { stone: "1.5.0" });

test("a device that may take the target takes it at once", () => {
  assert.equal(told(running("1.5.0"), last, [stone15]), "1.9.0");
  assert.equal(told(running("1.7.0"), last, [stone15]), "1.9.0");
});

test("a device that is too old goes over the newest release that leads on", () => {
  assert.equal(told(running("1.0.0"), last, [stone15]), "1.5.0 1.9.0");
  const more = [release("1.8.0", { stone: "1.5.0" }), release("1.6.0"), stone15];
  assert.equal(told(running("1.0.0"), last, more), "1.6.0 1.9.0");
});

test("a way over several stones is the shortest one", () => {
  const chain = [
    release("1.1.0"),
    release("1.2.0", { stone: "1.1.0" }),
    release("1.3.0", { stone: "1.2.0" }),
    release("1.5.0", { stone: "1.3.0" }),
  ];
  assert.equal(told(running("1.0.0"), last, chain), "1.1.0 1.2.0 1.3.0 1.5.0 1.9.0");
  const shorter = [...chain, release("1.4.0", { stone: "1.1.0" })];
  assert.equal(told(running("1.0.0"), last, shorter), "1.1.0 1.4.0 1.5.0 1.9.0");
});

test("equally short ways are told apart by their newest steps, whatever the order of the releases", () => {
  const published = [
    release("1.1.0"),
    release("1.2.0"),
    release("1.5.0", { stone: "1.1.0" }),
    release("1.6.0", { stone: "1.2.0" }),
    release("1.7.0", { stone: "1.2.0" }),
  ];
  assert.equal(told(running("1.0.0"), last, published), "1.2.0 1.7.0 1.9.0");
  assert.equal(told(running("1.0.0"), last, [...published].reverse()), "1.2.0 1.7.0 1.9.0");
});

test("stones that lead to each other lead nowhere", () => {
  const round = [release("1.2.0", { stone: "1.3.0" }), release("1.3.0", { stone: "1.2.0" })];
  assert.equal(told(running("1.0.0"), last, round), "needs-stepping-stone");
});

test("no step is what the operator did not approve", () => {
  const published = [release("1.5.0", { breaking: true })];
  assert.equal(told(running("1.0.0"), last, published), "needs-stepping-stone");
  assert.equal(told(running("1.0.0"), last, published, approved), "1.5.0 1.9.0");
  const major = release("2.0.0", { stone: "1.5.0" });
  assert.equal(told(running("1.0.0"), major, [stone15]), "needs-approval");
  assert.equal(told(running("1.0.0"), major, [stone15], approved), "1.5.0 2.0.0");
});

test("no step raises the security counter over the target's, or falls below the device's", () => {
  const high = release("1.5.0", { counter: 2 });
  assert.equal(told(running("1.0.0"), last, [high]), "needs-stepping-stone");
  const higher = running("1.0.0", { runningSecurityCounter: 2 });
  const target = release("1.9.0", { stone: "1.5.0", counter: 2 });
  assert.equal(told(higher, target, [stone15]), "needs-stepping-stone");
  assert.equal(told(higher, target, [high, stone15]), "1.5.0 1.9.0");
});

test("no step is an image for other hardware, or one that the device rolled back", () => {
  const other = release("1.5.0", { hardware: "esp32c6-a" });
  assert.equal(told(running("1.0.0"), last, [other]), "needs-stepping-stone");
  const refusing = running("1.0.0", { refusedImages: new Set([stone15.imageHash]) });
  assert.equal(told(refusing, last, [stone15]), "needs-stepping-stone");
  assert.equal(told(refusing, last, [stone15], { ...plain, retryRolledBack: true }), "1.5.0 1.9.0");
  assert.equal(told(refusing, last, [stone15, release("1.5.1")]), "1.5.1 1.9.0");
});

test("a downgrade goes to its target or nowhere", () => {
  const target = release("1.5.0");
  const down = { ...plain, allowDowngrade: true };
  assert.equal(told(running("1.9.0"), target, [release("1.7.0")], down), "1.5.0");
});

test("a way of more steps than the most is none", () => {
  const chain = (count: number): ImageFacts[] =>
    Array.from({ length: count }, (_, index) =>
      release(`1.${index + 1}.0`, { stone: `1.${index}.0` }),
    );
  const longest = chain(stepsMax);
  const target = longest.pop() ?? last;
  const way = wayTo(running("1.0.0"), target, longest, plain);
  assert.equal(way.ok && way.images.length, stepsMax);
  const longer = chain(stepsMax + 1);
  const beyond = longer.pop() ?? last;
  assert.equal(told(running("1.0.0"), beyond, longer), "needs-stepping-stone");
});

/** Every way, the shortest first, of equally short ones the one of the newest steps. */
function byForce(
  device: DeviceFacts,
  target: ImageFacts,
  published: readonly ImageFacts[],
  permissions: RolloutPermissions,
): string {
  const ways: string[][] = [];
  const walk = (at: DeviceFacts, versions: readonly string[]): void => {
    if (eligibility(at, target, permissions).ok) ways.push([...versions, target.version]);
    for (const image of published) {
      const isUp = order(image.version, at.running?.version ?? "") > 0;
      if (!isUp || order(image.version, target.version) >= 0) continue;
      if (!eligibility(at, image, permissions).ok) continue;
      const { version, imageHash, securityCounter: runningSecurityCounter } = image;
      const there = { ...at, running: { version, imageHash }, runningSecurityCounter };
      walk(there, [...versions, version]);
    }
  };
  walk(device, []);
  const [best] = ways.sort((a, b) => {
    if (a.length !== b.length) return a.length - b.length;
    const at = a.findIndex((version, index) => version !== b[index]);
    return at < 0 ? 0 : order(b[at] ?? "", a[at] ?? "");
  });
  return best?.join(" ") ?? "none";
}

function order(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  assert.ok(left && right);
  return compareVersions(left, right);
}

test("finds what a search through all ways finds", () => {
  const versions = (majorMax: number, minorMin: number) =>
    fc
      .tuple(
        fc.integer({ min: 1, max: majorMax }),
        fc.integer({ min: minorMin, max: minorMin + 3 }),
        fc.nat({ max: 2 }),
      )
      .map((parts) => parts.join("."));
  const version = versions(2, 0);
  const wishes = fc.record({
    stone: fc.option(version, { nil: undefined }),
    breaking: fc.boolean(),
    counter: fc.integer({ min: 1, max: 2 }),
  });
  const published = fc.uniqueArray(fc.tuple(version, wishes), {
    minLength: 4,
    maxLength: 9,
    selector: ([of]) => of,
  });
  let detours = 0;
  fc.assert(
    fc.property(
      fc.tuple(versions(1, 0), fc.integer({ min: 1, max: 2 }), fc.nat({ max: 8 })),
      fc.tuple(versions(2, 3), version),
      published,
      fc.boolean(),
      ([from, runningSecurityCounter, refused], [to, stone], releases, isApproved) => {
        const images = releases.map(([of, { stone: needs, ...more }]) =>
          release(of, { ...more, ...(needs === undefined ? {} : { stone: needs }) }),
        );
        const refusedImages = new Set([images[refused]?.imageHash ?? ""]);
        const device = running(from, { runningSecurityCounter, refusedImages });
        const target = release(to, { stone, counter: 2 });
        const permissions = { ...plain, approved: isApproved };
        const way = wayTo(device, target, images, permissions);
        if (!way.ok && way.reason !== "needs-stepping-stone") return;
        if (way.ok && way.images.length > 1) detours += 1;
        const found = way.ok ? way.images.map((one) => one.version).join(" ") : "none";
        assert.equal(found, byForce(device, target, images, permissions));
      },
    ),
    { numRuns: 5000, seed: 41 },
  );
  assert.ok(detours > 300, `${detours} ways over a stepping stone`);
});
