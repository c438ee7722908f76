import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { answerPath, answersPath, httpAnswers, methodsText } from "./http-answers.ts";

/** Serves the answers of http-answers.ts over TCP, byte for byte and segment for segment. */
export class AnswerServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(): Promise<AnswerServer> {
    const server = new AnswerServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // the device closes when it has what it wants
      socket.on("close", () => this.#sockets.delete(socket));
      let asked = "";
      socket.on("data", (bytes) => {
        const before = asked.includes("\r\n\r\n");
        asked += bytes.toString("latin1");
        if (!before && asked.includes("\r\n\r\n")) void send(socket, asked.split(" ")[1] ?? "");
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

async function send(socket: Socket, path: string): Promise<void> {
  const { segments, closes } = answerTo(path);
  for (const segment of segments) {
    if (socket.destroyed) return;
    socket.write(segment, "latin1");
    // The next turn: the system has sent it by then.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (closes) socket.end();
}

export function answerTo(path: string): {
  readonly segments: readonly string[];
  readonly closes: boolean;
} {
  if (path === answersPath) {
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${methodsText.length}\r\n\r\n`;
    return { segments: [`${head}${methodsText}`], closes: true };
  }
  const asked = path.startsWith(answerPath) ? Number(path.slice(answerPath.length)) : -1;
  return httpAnswers[asked] ?? { segments: ["HTTP/1.1 404 Not Found\r\n\r\n"], closes: true };
}
