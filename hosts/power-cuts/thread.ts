import { parentPort, workerData } from "node:worker_threads";
import type { ThreadMessage, ThreadOrders } from "./crew.ts";
import { Proof } from "./proof.ts";
import { runShare } from "./share.ts";

const tell = (message: ThreadMessage): void => parentPort?.postMessage(message);
const orders = workerData as ThreadOrders;
const proof = new Proof(orders.layout, orders.images);
const tally = await runShare(proof, orders, (cases) => tell({ kind: "progress", cases }));
tell({ kind: "done", tally });
