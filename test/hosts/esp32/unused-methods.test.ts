import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutUnusedMethods } from "../../../hosts/esp32/unused-methods.ts";

const session = `class SSLSession {
	initiateHandshake() {
		this.startTrace("packetize");
		if (this.alert) {
			this.stopTrace();
			return true;
		}
	}
	readPacket(s) {
		if (s.readable) {
			return s.read();
		}
	}
	stopTrace() {
		trace("ALERT!");
	}
}

export default SSLSession;
`;

test("a method that is never called goes as a whole, and calls that trace with it", () => {
  assert.equal(
    withoutUnusedMethods("ssl/session", session),
    `class SSLSession {
	initiateHandshake() {
		if (this.alert) {
			return true;
		}
	}
}

export default SSLSession;
`,
  );
});

const handshake = `const handshakeProtocol = {
	packetize(session) {
		return session.all;
	},
	serverHello: {
		name: "serverHello",
		packetize(session) {
			session.traceProtocol(this);
			return this.unpacketize(session);
		},
		unpacketize(session) {
			session.traceProtocol(this);
			return session.one;
		},
	},
	finished: {
		packetize(session) {
			return session.last;
		},
	},
};
`;

test("a method of the same name stays in every object that needs it", () => {
  assert.equal(
    withoutUnusedMethods("ssl/handshake", handshake),
    `const handshakeProtocol = {
	packetize(session) {
		return session.all;
	},
	serverHello: {
		unpacketize(session) {
			return session.one;
		},
	},
	finished: {
		packetize(session) {
			return session.last;
		},
	},
};
`,
  );
});

test("what is written otherwise stays as it is", () => {
  const short = `const p = { serverHello: { packetize(s) { return s; } } };\n`;
  assert.equal(withoutUnusedMethods("ssl/handshake", short), short);
  assert.equal(withoutUnusedMethods("ssl/handshake", "\tserverHello: {\n"), "\tserverHello: {\n");
});
