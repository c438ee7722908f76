// The plain page of the fleet: asks the management API and shows the answer, again and again.

const refreshMs = 2000;
const devicesMax = 200;
/** Rollouts whose reasons are asked for, the newest of those where something went badly. */
const reasonsMax = 5;

/** Which words are good, under way, waiting or bad; the words themselves carry the meaning too. */
const tones = {
  updated: "good",
  confirmed: "good",
  finished: "good",
  running: "busy",
  offered: "busy",
  working: "busy",
  checking: "busy",
  downloading: "busy",
  verifying: "busy",
  staged: "busy",
  activating: "busy",
  trial: "busy",
  deferred: "wait",
  reported: "wait",
  paused: "wait",
  "rolled-back": "bad",
  failed: "bad",
  unproven: "bad",
  stuck: "bad",
  "no-server": "wait",
  "no-link": "wait",
  silent: "wait",
  halted: "bad",
};

const barParts = [
  ["good", ["updated"]],
  ["busy", ["offered", "working", "activating", "trial", "reported"]],
  ["wait", ["deferred", "no-server", "no-link", "silent"]],
  ["bad", ["rolled-back", "failed", "unproven", "stuck"]],
];

const tableRoles = {
  table: "table",
  thead: "rowgroup",
  tbody: "rowgroup",
  tr: "row",
  th: "columnheader",
  td: "cell",
};

const page = {
  status: document.getElementById("status"),
  simulation: document.getElementById("simulation"),
  trust: document.getElementById("trust"),
  signIn: document.getElementById("sign-in"),
  token: document.getElementById("token"),
  fleet: document.getElementById("fleet"),
  rollouts: document.getElementById("rollouts"),
  devices: document.querySelector("#devices tbody"),
  releases: document.querySelector("#releases tbody"),
  state: document.getElementById("state"),
  more: document.getElementById("more"),
};

let token = sessionStorage.getItem("sluice-token");
const known = new Map();

async function ask(path) {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`/api/v1${path}`, { headers, cache: "no-store" });
  if (response.ok) return response.json();
  throw new Error(
    response.status === 401 ? "unauthorized" : `the server answered ${response.status}`,
  );
}

/** In a simulation no date on the page is one of the real world. */
function sayWhoseTime({ simulatedTime, nowUnixMs }) {
  page.simulation.hidden = !simulatedTime;
  page.simulation.textContent = simulatedTime
    ? `This is a simulation: its time is ${clock(nowUnixMs)}, and every date here is of that time.`
    : "";
}

/** Says which signed documents expire, once less than half of their life is left. */
function warnOfExpiry(trust) {
  const roles = trust?.roles ?? [];
  const due = roles.filter(({ level }) => level !== "good");
  const texts = due.map(({ role, level, expiresAtUnixMs, lifeLeftPercent }) => {
    const day = new Date(expiresAtUnixMs).toISOString().slice(0, 10);
    return level === "expired"
      ? `${role} expired on ${day}`
      : `${role} expires on ${day} (${lifeLeftPercent} % left)`;
  });
  if (roles.length > 0 && trust.problem !== null) texts.push(trust.problem);
  page.trust.hidden = texts.length === 0;
  page.trust.textContent = `Signed metadata: ${texts.join("; ")}. Devices install nothing once it has expired.`;
}

async function refresh() {
  try {
    const state = page.state.value;
    const filter = state === "" ? "" : `&state=${encodeURIComponent(state)}`;
    const [server, rollouts, devices, releases, trust] = await Promise.all([
      ask("/server"),
      ask("/rollouts?limit=20"),
      ask(`/devices?limit=${devicesMax}${filter}`),
      ask("/releases?limit=500"),
      ask("/trust").catch(() => null), // a server that knows nothing of signed metadata
    ]);
    sayWhoseTime(server);
    warnOfExpiry(trust);
    const reasons = await Promise.all(
      rollouts.items.filter(wentBadly).slice(0, reasonsMax).map(outcomesOf),
    );
    for (const rollout of rollouts.items)
      rollout.outcomes = reasons.find(({ id }) => id === rollout.id)?.outcomes ?? [];
    page.signIn.hidden = true;
    page.fleet.hidden = false;
    show(
      page.rollouts,
      rollouts.items,
      rolloutBlock,
      "No rollout yet. Plan one with sluice rollout create.",
    );
    show(page.devices, devices.items, deviceRow, "No device here.");
    show(
      page.releases,
      releases.items.toReversed().flatMap(imagesOf),
      imageRow,
      "No release yet. Publish one with sluice release publish.",
    );
    offerStates(devices.items);
    page.more.hidden = devices.next === null;
    page.more.textContent = `The first ${devicesMax} devices are shown; sluice device list has them all.`;
    const more = devices.next === null ? "" : " and more";
    say(`${devices.items.length} devices${more}, asked every ${refreshMs / 1000} seconds`, false);
  } catch (error) {
    const isLockedOut = error instanceof Error && error.message === "unauthorized";
    page.signIn.hidden = !isLockedOut;
    if (isLockedOut) page.fleet.hidden = true;
    say(
      isLockedOut
        ? "This server asks for its admin token"
        : `No answer: ${error.message}; trying again`,
      !isLockedOut,
    );
  }
  setTimeout(refresh, refreshMs);
}

/**
 * Writes the elements anew only when their content changed, so that a selection or a screen reader
 * is not disturbed.
 */
function show(parent, items, build, empty) {
  const text = JSON.stringify(items.map((item) => build(item).outerHTML));
  if (known.get(parent) === text) return;
  known.set(parent, text);
  if (items.length > 0) return parent.replaceChildren(...items.map(build));
  const cell = element("td", empty, "empty");
  cell.colSpan = 6;
  parent.replaceChildren(
    parent.tagName === "TBODY" ? tableRow([cell]) : element("p", empty, "empty"),
  );
}

const badStates = ["rolled-back", "failed", "unproven", "no-server", "no-link", "stuck", "silent"];

function wentBadly({ stages }) {
  return stages.some(({ counts }) => badStates.some((state) => counts[state] > 0));
}

async function outcomesOf({ id }) {
  return { id, outcomes: (await ask(`/rollouts/${id}`)).outcomes };
}

function outcomeLine({ state, reason, count }) {
  return element("li", [`${count} `, word(state), ` ${reason ?? "no reason told"}`]);
}

function rolloutBlock({ id, name, releaseVersion, state, halt, stages, outcomes }) {
  const title = element("h3", [`Rollout ${id}: ${name}, `, word(state)]);
  const about = element("p", `release ${releaseVersion}${halt ? haltText(halt) : ""}`);
  const parts = [title, about, ...stages.map(stageBlock)];
  if (outcomes.length > 0) parts.push(element("ul", outcomes.map(outcomeLine), "outcomes"));
  return element("div", parts, "rollout");
}

function haltText({ sentence, stage }) {
  return `, stage ${stage + 1}: ${sentence}`;
}

function stageBlock({
  percent,
  members,
  counts,
  openedAtUnixMs,
  completedAtUnixMs,
  settledAtUnixMs,
}) {
  const bar = element("div", [], "bar");
  bar.setAttribute("aria-hidden", "true");
  for (const [tone, states] of barParts) {
    const count = states.reduce((sum, state) => sum + counts[state], 0);
    if (count === 0 || members === 0) continue;
    const part = element("span", "", tone);
    part.style.width = `${(100 * count) / members}%`;
    bar.append(part);
  }
  const told = Object.entries(counts).filter(([, count]) => count > 0);
  const texts = told.map(([state, count]) => `${count} ${state}`);
  let progress = openedAtUnixMs === null ? "not open" : "open";
  if (settledAtUnixMs !== null) progress = "soaking";
  if (completedAtUnixMs !== null) progress = "complete";
  const line = element("div", `${progress}: ${texts.join(", ") || "no devices"}`, "counts");
  return element("div", [element("div", `to ${percent} %`), bar, line], "stage");
}

function deviceRow({ id, hardware, running, state, reason, ...contact }) {
  const stateCell = element("td", [word(state)], "state");
  if (reason !== null) stateCell.append(element("span", ` ${reason}`, "reason"));
  const version = running === null ? "-" : running.version + (running.confirmed ? "" : " on trial");
  return tableRow([
    element("td", id),
    element("td", hardware ?? "-"),
    element("td", version),
    element("td", [element("code", running?.imageHash.slice(0, 8) ?? "-")]),
    stateCell,
    element("td", contactText(contact)),
  ]);
}

function contactText({ contact, nextWakeAtUnixMs, lastSeenAtUnixMs }) {
  if (contact === "asleep") return `asleep until ${clock(nextWakeAtUnixMs)}`;
  if (contact === "silent") return `silent since ${clock(nextWakeAtUnixMs)}`;
  return lastSeenAtUnixMs === null ? "never" : clock(lastSeenAtUnixMs);
}

function imagesOf({ version, images }) {
  return images.map((image) => ({ version, ...image }));
}

function imageRow({ version, hardware, sizeBytes, imageHash }) {
  return tableRow([
    element("td", version),
    element("td", hardware),
    element("td", sizeBytes.toLocaleString("en")),
    element("td", [element("code", imageHash.slice(0, 8))]),
  ]);
}

/** States that were seen stay in the list, also while a filter hides their devices. */
function offerStates(devices) {
  const offered = new Set([...page.state.options].map(({ value }) => value));
  for (const { state } of devices) {
    if (offered.has(state)) continue;
    offered.add(state);
    page.state.add(new Option(state, state));
  }
}

function tableRow(cells) {
  const made = element("tr", cells);
  sayRoles(made);
  return made;
}

/** A narrow page lays rows out as grids, and some browsers then forget what they are. */
function sayRoles(root) {
  for (const [name, role] of Object.entries(tableRoles))
    for (const part of [root, ...root.querySelectorAll(name)])
      if (part.localName === name) part.role = role;
}

function word(state) {
  return element("span", state, `word ${tones[state] ?? ""}`);
}

function say(text, isBad) {
  page.status.classList.toggle("bad", isBad);
  // Read aloud when something is wrong; the time of every refresh is not.
  page.status.ariaLive = isBad ? "assertive" : "off";
  page.status.textContent = text;
}

function clock(unixMs) {
  return new Date(unixMs).toISOString().slice(0, 19).replace("T", " ");
}

/** Texts are set as texts: nothing that a device sent can become markup. */
function element(name, content, className) {
  const made = document.createElement(name);
  if (className !== undefined) made.className = className;
  if (typeof content === "string") made.textContent = visible(content);
  else made.append(...content.map((part) => (typeof part === "string" ? visible(part) : part)));
  return made;
}

/**
 * Control characters, marks that turn the direction of writing and other invisible ones are written
 * out, as on a terminal: no word of a device changes how those around it are read.
 */
function visible(text) {
  return text.replace(/[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--[\u200c\u200d]]/gv, (character) =>
    Array.from({ length: character.length }, (_, index) => unitOf(character, index)).join(""),
  );
}

/** Writes one UTF-16 unit as an escape: a character beyond the BMP has two. */
function unitOf(character, index) {
  return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
}

page.signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  token = page.token.value;
  sessionStorage.setItem("sluice-token", token);
  say("Asking", false);
});
page.state.addEventListener("change", () => say("Asking", false));
sayRoles(page.fleet);
refresh();
