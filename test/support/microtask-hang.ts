// Runs a firmware that hangs in microtasks on engine node, and prints how its turn ended. A process
// of its own, because the test runner watches every promise (async_hooks) and an interrupted
// microtask upsets that watch.
import { hostReply, message } from "../../hosts/simulator/board/host-calls.ts";
import { NodeEngine } from "../../hosts/simulator/engines/node-engine.ts";

const facts = JSON.stringify({ partitions: [], roles: {}, resetReason: "power-on", seed: 1 });
const engine = new NodeEngine(() => message(hostReply.ok, []));
const hanging = await engine.start(facts, "(async () => { for (;;) await null; })();");
const next = await new NodeEngine(() => message(hostReply.ok, [])).start(facts, "1;");
process.stdout.write(`${hanging.kind} ${next.kind}`);
