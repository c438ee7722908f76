import type { Http } from "../../../src/ports/http.ts";

const bodyBytesMax = 4096;
const timeoutMs = 5000;
const shownBytesMax = 40;

/**
 * Asks a server for every answer that it has (see http-answers.ts) and says a line for each. It is
 * the same on every engine.
 */
export async function askAnswers(
  http: Http,
  serverUrl: string,
  say: (line: string) => void,
): Promise<void> {
  const [status, ...methods] = (await ask(http, "GET", `${serverUrl}/answers`)).split(" ");
  if (status !== "200") throw new Error(`the server has no list: ${status}`);
  for (const [index, method] of methods.entries())
    say(`answer ${index} ${await ask(http, method as "GET", `${serverUrl}/answer/${index}`)}`);
  say("answers end");
}

function ask(http: Http, method: "GET" | "HEAD" | "POST", url: string): Promise<string> {
  const body = method === "POST" ? Uint8Array.of(123, 125) : null;
  return new Promise((resolve) => {
    let status = 0;
    let bytes = 0;
    let text = "";
    http.send(
      { method, url, headers: { accept: "*/*" }, body, timeoutMs, bodyBytesMax },
      {
        head(head) {
          status = head.status;
          return true;
        },
        body(piece) {
          bytes += piece.length;
          for (const octet of piece)
            if (text.length < bodyBytesMax) text += String.fromCharCode(octet);
          return true;
        },
        done() {
          const isLong = bytes > shownBytesMax && !url.endsWith("/answers");
          resolve(`${status} ${isLong ? `${bytes} bytes` : text}`);
        },
        failed: (failure) => resolve(failure),
      },
    );
  });
}
