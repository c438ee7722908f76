/**
 * Answers of HTTP/1.1 servers, byte for byte, and what every engine makes of each: the same. One
 * suite runs them on Node's engine, on XS, on the SDK's build and on a chip.
 */
export interface HttpAnswer {
  readonly name: string;
  readonly method: "GET" | "HEAD" | "POST";
  /** In Latin-1, as they are sent; each string a segment of its own. */
  readonly segments: readonly string[];
  /** Whether the server closes behind them. */
  readonly closes: boolean;
  /** `<status> <body>`, a long body by its length, or the failure. */
  readonly expected: string;
}

type Options = Partial<Pick<HttpAnswer, "method" | "closes">>;

const answers: HttpAnswer[] = [];

function answer(
  name: string,
  segments: string | string[],
  expected: string,
  options: Options = {},
) {
  const { method = "GET", closes = true } = options;
  const list = typeof segments === "string" ? [segments] : segments;
  answers.push({ name, method, segments: list, closes, expected });
}

const open: Options = { closes: false };
const ok = "HTTP/1.1 200 OK\r\n";
const two = `${ok}content-length: 2\r\n`;
const chunked = `${ok}transfer-encoding: chunked\r\n\r\n`;
const hello = `${ok}content-length: 5\r\n\r\nhello`;
const bytewise = (text: string) => [...text];

// ---- status lines
answer("a plain answer", hello, "200 hello", open);
answer("no reason", "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok", "200 ok", open);
answer("no reason and no space", "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", "200 ok", open);
answer("a long reason", `HTTP/1.1 200 ${"very ".repeat(300)}\r\ncontent-length: 0\r\n\r\n`, "200 ");
answer("HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 ok", open);
answer("HTTP/1.0 until the close", "HTTP/1.0 200 OK\r\n\r\nall of it", "200 all of it");
answer("HTTP/2", "HTTP/2 200 OK\r\n\r\n", "response-malformed");
answer("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "response-malformed");
answer("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "response-malformed");
answer("no HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n\r\n", "response-malformed");
answer("nothing", [], "connection");
answer("a status that is not known", "HTTP/1.1 599 Odd\r\ncontent-length: 0\r\n\r\n", "599 ");

// ---- interim answers
answer("100 before it", `HTTP/1.1 100 Continue\r\n\r\n${hello}`, "200 hello", open);
answer(
  "103 with headers before it",
  `HTTP/1.1 103 Early Hints\r\nlink: </x>\r\ncontent-length: 9\r\n\r\n${hello}`,
  "200 hello",
  open,
);
answer(
  "102, 100 and 103 before it",
  [
    "HTTP/1.1 102 Processing\r\n\r\n",
    "HTTP/1.1 100\r\n\r\nHTTP/1.1 103 Hints\r\nl:\r\n\r\n",
    hello,
  ],
  "200 hello",
  open,
);
answer("nine interim answers", `${"HTTP/1.1 102 P\r\n\r\n".repeat(9)}${hello}`, "head-too-large");
answer("another protocol", "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", "response-malformed");
answer("only an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", "connection");

// ---- headers
answer("an empty value", `${two}x-empty:\r\n\r\nok`, "200 ok", open);
answer("an empty value first", `${ok}x-empty:\r\ncontent-length: 2\r\n\r\nok`, "200 ok", open);
answer("a value of spaces", `${two}x-empty: \t \r\n\r\nok`, "200 ok", open);
answer("names in capitals", `${ok}CONTENT-LENGTH: 2\r\n\r\nok`, "200 ok", open);
answer("no space behind the colon", `${ok}content-length:2\r\n\r\nok`, "200 ok", open);
answer("spaces around a value", `${ok}content-length: \t 2 \t\r\n\r\nok`, "200 ok", open);
answer("bytes beyond ASCII", `${two}x-latin: caf\xe9\r\n\r\nok`, "200 ok", open);
answer("LF alone", "HTTP/1.1 200 OK\ncontent-length: 2\nx: y\n\nok", "200 ok", open);
answer("LF and CRLF mixed", "HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\nok", "200 ok", open);
answer("CR alone", `${ok}x: a\rb\r\ncontent-length: 2\r\n\r\nok`, "response-malformed");
answer("NUL in a value", `${ok}x: a\0b\r\ncontent-length: 2\r\n\r\nok`, "response-malformed");
answer("a folded header", `${two}x-long: a\r\n b\r\n\tc\r\n\r\nok`, "200 ok", open);
answer("a folded length", `${ok}content-length:\r\n 2\r\n\r\nok`, "200 ok", open);
answer("a length folded in itself", `${ok}content-length: 2\r\n 3\r\n\r\nok`, "response-malformed");
answer("a folded coding", `${two}content-encoding:\r\n gzip\r\n\r\nok`, "content-encoded");
answer("a folded status line", `${ok} more\r\n${two.slice(ok.length)}\r\nok`, "response-malformed");
answer("a line of spaces behind a header", `${two}x: y\r\n  \r\n\r\nok`, "200 ok", open);
answer("a space before the colon", `${ok}content-length : 2\r\n\r\nok`, "response-malformed");
answer("a line without a colon", `${two}nothing\r\n\r\nok`, "response-malformed");
answer("a header without a name", `${two}: x\r\n\r\nok`, "response-malformed");
answer("a header of 6 KB", `${two}x-policy: ${"v".repeat(6000)}\r\n\r\nok`, "200 ok", open);
answer("150 headers", `${two}${`x-h: ${"v".repeat(90)}\r\n`.repeat(150)}\r\nok`, "200 ok", open);
answer("a head of 20 KB", `${two}x: ${"v".repeat(20_000)}\r\n\r\nok`, "head-too-large");
answer("an address of 3 KB", `${two}location: /${"v".repeat(3000)}\r\n\r\nok`, "head-too-large");

// ---- lengths
answer("a length of nothing", `${ok}content-length: 0\r\n\r\n`, "200 ", open);
answer("the same length twice", `${two}content-length: 2\r\n\r\nok`, "200 ok", open);
answer("the same length in a list", `${ok}content-length: 2, 2\r\n\r\nok`, "200 ok", open);
answer("two lengths", `${two}content-length: 3\r\n\r\nok!`, "response-malformed");
answer("a length with zeros before it", `${ok}content-length: 0002\r\n\r\nok`, "200 ok", open);
answer("a negative length", `${ok}content-length: -2\r\n\r\nok`, "response-malformed");
answer("a length with a sign", `${ok}content-length: +2\r\n\r\nok`, "response-malformed");
answer("an empty length", `${ok}content-length:\r\n\r\nok`, "response-malformed");
answer("a length in hex", `${ok}content-length: 0x2\r\n\r\nok`, "response-malformed");
answer("bytes behind the body", `${two}\r\nok, and more`, "200 ok", open);
answer("a body that is cut", `${ok}content-length: 5\r\n\r\nhel`, "connection");
answer("a body until the close", `${ok}\r\nall of it`, "200 all of it");
answer("an empty body until the close", `${ok}\r\n`, "200 ");
answer("a body that is too long", `${ok}content-length: 9000\r\n\r\n`, "body-too-large");
answer("a body that grows too long", `${ok}\r\n${"x".repeat(9000)}`, "body-too-large");

// ---- no bodies
answer("204 with a length", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", "204 ", open);
answer("204", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", open);
answer("304", 'HTTP/1.1 304 Not Modified\r\netag: "1"\r\ncontent-length: 9\r\n\r\n', "304 ", open);
answer("HEAD with a length", `${ok}content-length: 90000\r\n\r\n`, "200 ", {
  method: "HEAD",
  closes: false,
});
answer("HEAD with chunks", `${ok}transfer-encoding: chunked\r\n\r\n`, "200 ", {
  method: "HEAD",
  closes: false,
});
answer("a POST", hello, "200 hello", { method: "POST", closes: false });

// ---- chunks
answer("a chunk", `${chunked}5\r\nhello\r\n0\r\n\r\n`, "200 hello", open);
answer("chunks", `${chunked}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`, "200 hello", open);
answer("no chunk but the last", `${chunked}0\r\n\r\n`, "200 ", open);
answer(
  "sizes in both cases with zeros",
  `${chunked}000A\r\n0123456789\r\n0b\r\nabcdefghijk\r\n000\r\n\r\n`,
  "200 0123456789abcdefghijk",
  open,
);
answer("extensions", `${chunked}5;a;b=c;d="e;f"\r\nhello\r\n0;last=1\r\n\r\n`, "200 hello", open);
answer("spaces behind sizes", `${chunked}5 \r\nhello\r\n0 \t;x\r\n\r\n`, "200 hello", open);
answer("a trailer", `${chunked}5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n`, "200 hello", open);
answer(
  "trailers that name a length",
  `${chunked}5\r\nhello\r\n0\r\nContent-Length: 9\r\nx:\r\n\r\n`,
  "200 hello",
  open,
);
answer("Chunked", `${ok}Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, "200 ok", open);
answer(
  "an empty coding beside it",
  `${ok}transfer-encoding: , chunked\r\n\r\n0\r\n\r\n`,
  "200 ",
  open,
);
answer("no coding and a length", `${two}transfer-encoding: identity\r\n\r\nok`, "200 ok", open);
answer(
  "chunks and the length that they have",
  `${two}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  "200 ok",
  open,
);
answer(
  "chunks and another length",
  `${ok}content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  "response-malformed",
);
answer("a size that is none", `${chunked}x\r\nhello\r\n0\r\n\r\n`, "response-malformed");
answer("a size with a sign", `${chunked}+5\r\nhello\r\n0\r\n\r\n`, "response-malformed");
answer("an empty size", `${chunked}\r\n0\r\n\r\n`, "response-malformed");
answer("a size of 2^64", `${chunked}10000000000000000\r\nhello`, "response-malformed");
answer("a size of many zeros", `${chunked}${"0".repeat(2000)}5\r\nhello`, "response-malformed");
answer("a chunk longer than its size", `${chunked}2\r\nhello\r\n0\r\n\r\n`, "response-malformed");
answer("chunks framed with LF", `${chunked}2\nok\n0\n\n`, "response-malformed");
answer("a chunk that is cut", `${chunked}5\r\nhel`, "connection");
answer("chunks without the last", `${chunked}5\r\nhello\r\n`, "connection");
answer("trailers that are cut", `${chunked}5\r\nhello\r\n0\r\nx: y\r\n`, "connection");
answer("chunked twice", `${ok}transfer-encoding: chunked, chunked\r\n\r\n`, "response-malformed");
answer("a folded trailer", `${chunked}2\r\nok\r\n0\r\nx: y\r\n z\r\n\r\n`, "200 ok", open);
answer("a trailer that begins folded", `${chunked}0\r\n z\r\n\r\n`, "response-malformed");

// ---- codings
answer("gzip", `${two}content-encoding: gzip\r\n\r\nok`, "content-encoded");
answer("x-compress in capitals", `${two}Content-Encoding: BR\r\n\r\nok`, "content-encoded");
answer("identity said", `${two}content-encoding: Identity\r\n\r\nok`, "200 ok", open);
answer("an empty coding", `${two}content-encoding:\r\n\r\nok`, "200 ok", open);
answer("two codings", `${two}content-encoding: identity, gzip\r\n\r\nok`, "content-encoded");
answer(
  "gzip, chunked",
  `${ok}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  "content-encoded",
);
answer("chunked, gzip", `${ok}transfer-encoding: chunked, gzip\r\n\r\nxx`, "content-encoded");
answer("gzip until the close", `${ok}transfer-encoding: gzip\r\n\r\nxx`, "content-encoded");

// ---- heads of common servers and proxies
answer(
  "names as haproxy writes them when told",
  `${ok}CONTENT-LENGTH: 2\r\nCoNtEnT-TyPe: application/json\r\nvia: 1.1 x\r\n\r\nok`,
  "200 ok",
  open,
);
answer(
  "a cache with its age, its way and two of a header",
  `${two}Age: 12\r\nVia: 1.1 a, 1.0 b (B/7.1)\r\nVia: 1.1 c\r\nX-Varnish: 32770 3\r\n\r\nok`,
  "200 ok",
  open,
);
answer(
  "a connection that is to be kept",
  `${two}Keep-Alive: timeout=5, max=100\r\nConnection: Keep-Alive\r\n\r\nok`,
  "200 ok",
  open,
);
answer(
  "a redirect with a page in chunks, to nowhere near",
  `HTTP/1.1 302 Moved Temporarily\r\nlocation: http://10.255.255.1/x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<html\r\n0\r\n\r\n`,
  "302 <html",
  open,
);
answer(
  "a part of a file with trailers",
  "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-1/2\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
  "206 ok",
  open,
);
answer(
  "417 with interim answers that promise more",
  "HTTP/1.1 100 Continue\r\nexpect: more\r\n\r\nHTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n",
  "417 ",
  open,
);

// ---- segments
answer("a byte a segment", bytewise(hello), "200 hello", open);
answer(
  "chunks with a byte a segment",
  bytewise(`HTTP/1.1 103 H\r\nl:\r\n\r\n${chunked}2;x\r\nok\r\n0\r\ns: 1\r\n\r\n`),
  "200 ok",
  open,
);
answer(
  "a head in small segments",
  bytewise(`${two}x-a: b\r\nx-c: d\r\n\r\n`).concat("ok"),
  "200 ok",
  open,
);
answer(
  "a body of 3,000 bytes",
  `${ok}content-length: 3000\r\n\r\n${"0123456789".repeat(300)}`,
  "200 3000 bytes",
  open,
);
answer(
  "3,000 bytes in chunks of 1,000",
  `${chunked}${`3e8\r\n${"0123456789".repeat(100)}\r\n`.repeat(3)}0\r\n\r\n`,
  "200 3000 bytes",
  open,
);
answer("an answer that never ends", `${ok}content-length: 5\r\n\r\nhel`, "timeout", open);

export const httpAnswers: readonly HttpAnswer[] = answers;

/** What a device is to ask for, in order: the methods, with a space between. */
export const answersPath = "/answers";
/** And then the number. */
export const answerPath = "/answer/";
export const methodsText = httpAnswers.map(({ method }) => method).join(" ");

/** The lines that a device says, one for each answer. */
export const expectedLines = httpAnswers.map(
  ({ expected }, index) => `answer ${index} ${expected}`,
);

/** Null when a device said all of it; else the first answer that it took otherwise. */
export function firstDifference(lines: readonly string[]): string | null {
  for (const [index, { name, expected }] of httpAnswers.entries()) {
    const start = `answer ${index} `;
    const line = lines.map((said) => said.trimEnd()).find((said) => `${said} `.startsWith(start));
    const told = line === undefined ? "nothing" : line.slice(start.length).trimEnd();
    if (told !== expected.trimEnd()) return `${name}: "${told}" instead of "${expected}"`;
  }
  return null;
}
