import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { OneDevice, type OneDeviceOptions } from "../../hosts/moddable/one-device.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import type { Identity } from "../../hosts/release/certificates.ts";
import type { TlsRefusal } from "../../src/tls/server-flight.ts";
import { orders, renewals } from "../support/chains/orders.ts";
import {
  authority,
  certificate,
  expired,
  otherAuthority,
  served,
  servedToDevices,
  withClient,
  withoutClient,
} from "../support/tls.ts";
import type { Checks } from "./checks.ts";

type Options = Omit<OneDeviceOptions, "directory"> & { readonly directory: string };
type Tls = NonNullable<OneDeviceOptions["tls"]>;

const answerSeconds = 60;
const updateSeconds = 240;

/** Servers that the firmware must not speak to, and what it says of each. */
const refusals: readonly (readonly [string, TlsRefusal, () => Tls])[] = [
  [
    "a server of another authority of the same name",
    "certificate-untrusted",
    () => shown(served(certificate({ issuer: otherAuthority }), otherAuthority)),
  ],
  [
    "a server whose certificate has expired",
    "certificate-expired",
    () => shown(served(certificate(expired), authority)),
  ],
  [
    "a server whose certificate names another",
    "certificate-name",
    () => shown(served(certificate({ hosts: ["127.0.0.2", "other.test"] }), authority)),
  ],
  [
    "a server that shows the right certificate behind one of its own",
    "certificate-untrusted",
    () => shown(served(certificate({ issuer: otherAuthority }), certificate(), authority)),
  ],
  [
    "a server with the certificate of a device",
    "certificate-purpose",
    () => shown(served(certificate({ purpose: "client" }), authority)),
  ],
  [
    "a server that wants a client certificate, from a device without one",
    "refused-by-server",
    () => ({ server: servedToDevices(certificate()), credentials: withoutClient }),
  ],
];

/** HTTPS of the firmware that mcconfig built, against node's TLS. */
export async function checkHttps(checks: Checks, options: Options): Promise<void> {
  const withDevice = (
    name: string,
    tls: Tls,
    run: (one: OneDevice) => Promise<void>,
    folder = "https",
  ) =>
    checks.check(name, async () => {
      const directory = join(options.directory, folder);
      const one = await OneDevice.start({ ...options, directory, tls });
      try {
        await run(one);
        assert.ok(one.board.boots.every((line) => !line.includes("exception")));
      } catch (error) {
        console.log(one.board.boots.concat(one.board.console.slice(-40)).join("\n"));
        throw error;
      } finally {
        await one.close();
      }
    });

  // Of a length that takes more than one record.
  const names = Array.from(
    { length: 24 },
    (_, index) => `server-${index}.of.a.fleet.with.a.long.name`,
  );
  const long = certificate({ hosts: [...names, "127.0.0.1"] });
  const mutual = { server: servedToDevices(long), credentials: withClient() };
  await withDevice("takes an update over https with a client certificate", mutual, async (one) => {
    const { rollout } = await one.offer("1.1.0", options.payload);
    void one.powerOn();
    await until("the update", updateSeconds, async () => {
      return (await one.fleet.count(rollout, "updated")) === 1;
    });
    assert.equal(one.board.running, "1.1.0");
    // A handshake that the restart cut is refused by nobody, and the device says so of its own.
    assert.deepEqual(one.fleet.refusedHandshakes, []);
    assert.ok(!one.board.console.some((line) => line.includes("no trusted connection")));
  });

  const chains = [...orders, ...renewals];
  const judgeNext = async (folder: string): Promise<void> => {
    for (let row = chains.shift(); row !== undefined; row = chains.shift()) {
      const { name, sent, enrolled, board } = row;
      const line = `warn: no trusted connection to 127.0.0.1: ${board}`;
      const judges = async (one: OneDevice): Promise<void> => {
        void one.powerOn();
        await until(board, answerSeconds, () =>
          board === "good" ? one.fleet.requests.length > 0 : one.board.console.includes(line),
        );
        if (board !== "good") assert.deepEqual(one.fleet.requests, []);
      };
      await withDevice(`judges ${name}`, enrolledWith(sent, enrolled), judges, folder);
    }
  };
  // A device waits some seconds before its first poll, and little else: some are on at once.
  await Promise.all(["first", "second", "third", "fourth"].map(judgeNext));

  for (const [server, reason, tls] of refusals)
    await withDevice(`refuses ${server}`, tls(), async (one) => {
      void one.powerOn();
      const line = `warn: no trusted connection to 127.0.0.1: ${reason}`;
      await until(line, answerSeconds, () => one.board.console.includes(line));
      await until("the next poll", answerSeconds, () => isPolled(one.board.console));
      assert.deepEqual(one.fleet.requests, []);
    });

  await checks.check("outlives what is no TLS, and tells it nothing", () => meetsNoTls(options));

  const strange = {
    server: servedToDevices(certificate()),
    credentials: withClient(otherAuthority),
  };
  await withDevice("gets nowhere with another authority's certificate", strange, async (one) => {
    void one.powerOn();
    // Node looks at it once the handshake is over, and then closes without a word.
    const line = "warn: poll: no-connection";
    await until(line, answerSeconds, () => one.board.console.includes(line));
    assert.deepEqual(one.fleet.requests, []);
  });
}

/** What an attacker on the way may say, each on a connection of its own. */
const noTls: readonly Uint8Array[] = [
  Uint8Array.of(21, 3, 3, 0, 2, 1, 0), // goodbye
  new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
  Uint8Array.of(22, 3, 3, 0xff, 0xff, ...new Uint8Array(2000)), // more than a record may hold
  Uint8Array.of(22, 3, 3, 0, 4, 0, 0, 0, 0), // a request to begin
  Uint8Array.of(20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 3, 1, 2, 3), // encryption from here on
];

async function meetsNoTls(options: Options): Promise<void> {
  const heard: Buffer[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    socket.on("data", (bytes) => heard.push(bytes));
    socket.on("error", () => {}); // the device closes when it likes
    const words = noTls[connections];
    connections += 1;
    if (words === undefined) socket.destroy();
    else socket.write(words);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const serverUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const directory = join(options.directory, "no-tls");
  const tls = shown(served(certificate(), authority));
  const one = await OneDevice.start({ ...options, directory, tls, serverUrl });
  try {
    void one.powerOn();
    await until("every connection", updateSeconds, () => connections > noTls.length);
    assert.deepEqual(one.board.boots, ["booted 1.0.0 power-on"]);
    const words = Buffer.concat(heard).toString("latin1");
    assert.ok(!/TargetToken|controller|HTTP/.test(words), "it spoke in the clear");
    assert.ok(heard.length >= noTls.length, "it did not even say hello");
  } finally {
    await one.close();
    server.close();
  }
}

function enrolledWith([own, ...others]: readonly Identity[], enrolled: readonly Identity[]): Tls {
  const authorities = enrolled.map(({ certificate: der }) => der);
  return { server: served(own!, ...others), credentials: { authorities, client: null } };
}

function shown(server: Tls["server"]): Tls {
  return { server, credentials: withoutClient };
}

/** The agent heard of it, and went on. */
function isPolled(console: readonly string[]): boolean {
  return console.includes("warn: poll: tls");
}
