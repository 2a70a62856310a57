import assert from "node:assert/strict";
import { test } from "node:test";

import { SethPusher } from "../sethpusher.js";
import { script, settled } from "./script.mjs";

const endings = (server) => server.told().filter(([event]) => event === "disconnected").map(([, details]) => details);

for (const [address, bare, sockjs] of [
  ["http://push.example:8080", "ws://push.example:8080/connect/websocket", "http://push.example:8080/connect"],
  ["https://push.example/", "wss://push.example/connect/websocket", "https://push.example/connect"],
  ["ws://push.example", "ws://push.example/connect/websocket", "http://push.example/connect"],
  ["wss://push.example/live/push/", "wss://push.example/live/push/websocket", "https://push.example/live/push"],
  ["https://push.example?k=a%20#x", "wss://push.example/connect/websocket?k=a%20", "https://push.example/connect?k=a%20"],
]) {
  test(`connects to ${address}`, () => {
    const seen = [];
    class Remembering {
      constructor(url) {
        seen.push(url);
      }
      close() {}
    }
    for (const options of [{ WebSocket: Remembering }, { SockJS: Remembering }]) {
      const client = new SethPusher(address, options);
      client.connect();
      client.close();
    }
    assert.deepEqual(seen, [bare, sockjs]);
  });
}

test("needs a WebSocket", () => {
  assert.throws(() => new SethPusher("http://push.example", { WebSocket: undefined }), TypeError);
});

test("says who it is, and is connected when that is answered", async (t) => {
  const { client, server } = script(t, { subscriberId: "ada", token: "secret" });
  const connected = client.connect();
  assert.equal(client.connect(), connected);
  server.socket.opens();
  assert.equal(client.state, "connecting");
  const { subscriber_id, token } = server.socket.acks("connect");
  assert.deepEqual([subscriber_id, token, client.state], ["ada", "secret", "connected"]);
  await connected;
  await client.connect();
  assert.deepEqual(server.told(), [["connecting"], ["connected"]]);
});

test("without a name or a token it is connected when the socket is open", async (t) => {
  const { client, server } = script(t);
  const connected = client.connect();
  server.socket.opens();
  await connected;
  server.socket.hearsNothing();
});

test("fetches a token for each attempt, and comes back when there is none to be had", async (t) => {
  const tokens = [() => "one", () => Promise.reject(new Error("no token")), () => Promise.resolve("three")];
  const { client, server } = script(t, { getToken: () => tokens.shift()() });
  client.connect();
  await settled();
  server.socket.opens();
  assert.equal(server.socket.acks("connect").token, "one");
  server.socket.closes(1006);
  await server.clock.pass(1000);
  assert.equal(server.sockets.length, 1);
  const told = server.told().filter(([event]) => event === "error" || event === "disconnected");
  assert.deepEqual(told.map(([event, { message, reason }]) => [event, message ?? reason]), [
    ["disconnected", ""],
    ["error", "no token"],
    ["disconnected", "no token"],
  ]);
  await server.clock.pass(2000);
  server.socket.opens();
  assert.equal(server.socket.hears("connect").token, "three");
});

test("a token that comes too late is not used", async (t) => {
  let give;
  const { client, server } = script(t, { getToken: () => new Promise((resolve) => (give = resolve)) });
  client.connect();
  client.close();
  give("late");
  await settled();
  assert.equal(server.sockets.length, 0);
});

test("brings a new token when the old one is about to expire", async (t) => {
  const tokens = ["one", "two"];
  const { client, server } = script(t, { getToken: () => tokens.shift() });
  client.connect();
  await settled();
  server.socket.opens();
  server.socket.acks("connect");
  server.socket.says({ type: "expiring", in: 30 });
  await settled();
  assert.equal(server.socket.acks("refresh").token, "two");
});

test("a refusal ends it", async (t) => {
  const { client, server } = script(t, { subscriberId: "ada", token: "wrong" });
  const connected = client.connect();
  server.socket.opens();
  server.socket.refuses("connect", 1503, "Invalid Auth credentials provided");
  const message = "Invalid Auth credentials provided";
  await assert.rejects(connected, { name: "SethPusherError", code: 1503, message });
  const [{ error, ...ending }] = endings(server);
  assert.equal(error.code, 1503);
  assert.deepEqual(ending, {
    code: 1000,
    reason: "refused: Invalid Auth credentials provided",
    reconnect: false,
    delay: null,
  });
  assert.equal(client.state, "disconnected");
});

test("a passing refusal does not", async (t) => {
  const { client, server } = script(t, { subscriberId: "ada" });
  const connected = client.connect();
  server.socket.opens();
  server.socket.refuses("connect", 1002, "The server cannot take this now; try again.");
  await server.clock.pass(1000);
  server.socket.opens();
  server.socket.acks("connect");
  await connected;
});

test("an attempt that takes too long is given up, whatever it waits for", async (t) => {
  const { client, server } = script(t, { subscriberId: "ada", timeout: 500 });
  client.connect();
  await server.clock.pass(500); // for the socket to open
  assert.deepEqual(endings(server).map(({ code, reconnect }) => [code, reconnect]), [[1006, true]]);
  assert.equal(server.socket.readyState, 2);
  await server.clock.pass(1000);
  server.socket.opens();
  await server.clock.pass(500); // for the answer to connect
  assert.deepEqual(endings(server).map(({ code, reconnect }) => [code, reconnect]), [[1006, true]]);
});

test("comes back later and later, after any part of the longest wait", async (t) => {
  const { client, server } = script(t);
  client.connect();
  const delays = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    server.socket.closes(1006);
    delays.push(endings(server)[0].delay);
    await server.clock.pass(delays.at(-1));
  }
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  Math.random.mock.mockImplementation(() => 0.25);
  server.socket.closes(1006);
  assert.equal(endings(server)[0].delay, 7500);
});

test("only a connection that lasts makes it come back sooner", async (t) => {
  const { client, server } = script(t);
  client.connect();
  const delays = [];
  for (const lasts of [999, 1999, 4000, 1000]) {
    server.socket.opens();
    await server.clock.pass(lasts);
    server.socket.closes(1006);
    delays.push(endings(server)[0].delay);
    await server.clock.pass(delays.at(-1));
  }
  assert.deepEqual(delays, [1000, 2000, 1000, 2000]);
});

test("connect() does not wait for the next attempt", async (t) => {
  const { client, server } = script(t);
  server.connects().closes(1006);
  assert.equal(client.state, "connecting");
  const connected = client.connect();
  assert.equal(server.sockets.length, 2);
  server.socket.opens();
  await connected;
  await server.clock.pass(20_000);
  assert.equal(server.sockets.length, 2);
});

for (const [code, reconnect] of [
  ...[1000, 1001, 1005, 1006, 1011, 3000, 3001, 3499].map((code) => [code, true]),
  ...[3500, 3503, 3999, 4000, 4999].map((code) => [code, false]),
]) {
  test(`close code ${code} ${reconnect ? "comes back" : "ends it"}`, async (t) => {
    const { client, server } = script(t);
    server.connects().closes(code, "why");
    const delay = reconnect ? 1000 : null;
    assert.deepEqual(endings(server), [{ code, reason: "why", reconnect, delay, error: undefined }]);
    assert.equal(client.state, reconnect ? "connecting" : "disconnected");
    assert.equal(server.clock.waiting(), reconnect ? 1 : 0);
  });
}

test("an attempt that fails with an error alone has failed, a connection has not", (t) => {
  const { client, server } = script(t);
  client.connect();
  server.socket.onerror({});
  assert.deepEqual(endings(server).map(({ code, reason }) => [code, reason]), [[1006, "no connection"]]);
  client.connect();
  server.socket.opens();
  server.socket.onerror({});
  assert.equal(client.state, "connected");
});

test("a close without a code is an abnormal one", (t) => {
  const { server } = script(t);
  server.connects().closes(undefined);
  assert.equal(endings(server)[0].code, 1006);
});

test("comes back after a code of a plugin if it was told to, by the application or by the server", (t) => {
  const { client, server } = script(t, { comeBackOn: [4001] });
  for (const [code, hint, reconnect] of [
    [4001, false, true],
    [4002, true, true],
    [3500, true, false],
    [4002, false, false],
  ]) {
    client.connect();
    server.socket.opens();
    hint && server.socket.says({ type: "reconnect", after: 1 });
    server.socket.closes(code);
    assert.equal(endings(server)[0].reconnect, reconnect, `code ${code}`);
  }
});

test("after an end connect() begins anew", async (t) => {
  const { client, server } = script(t);
  server.connects().closes(3500);
  const connected = client.connect();
  server.socket.opens();
  await connected;
});

test("connect() fails when the server says not to come back", async (t) => {
  const { client, server } = script(t, { subscriberId: "ada" });
  const connected = client.connect();
  server.socket.opens();
  server.socket.closes(3500, "invalid credentials");
  await assert.rejects(connected, { code: "disconnected", message: "connection lost: 3500 invalid credentials" });
});

test("comes back when the server says, once", async (t) => {
  const { server } = script(t);
  const socket = server.connects();
  socket.says({ type: "reconnect", after: 7.5 });
  socket.closes(3001, "server is going away, come back");
  assert.equal(endings(server)[0].delay, 7500);
  await server.clock.pass(7499);
  assert.equal(server.sockets.length, 1);
  await server.clock.pass(1);
  server.socket.closes(1006);
  assert.equal(endings(server)[0].delay, 2000);
});

for (const [after, delay] of [[0, 0], [-1, 0], ["soon", 0], [null, 0], [1e12, 2 ** 31 - 1]]) {
  test(`told to come back after ${after}`, (t) => {
    const { server } = script(t);
    server.connects().says({ type: "reconnect", after });
    server.socket.closes(1006);
    assert.equal(endings(server)[0].delay, delay);
  });
}

test("asks a server that says nothing for a sign of life, and leaves it when there is none", async (t) => {
  const { server } = script(t, { pingInterval: 1000, timeout: 300 });
  const socket = server.connects();
  await server.clock.pass(900);
  socket.says({ message: { type: "connect" } });
  await server.clock.pass(1000);
  socket.hearsNothing();
  await server.clock.pass(100);
  socket.acks("ping");
  await server.clock.pass(1999);
  socket.hearsNothing();
  await server.clock.pass(1);
  socket.refuses("ping", 1501, "Wrong type: ping."); // which is an answer, too
  assert.deepEqual(endings(server), []);
  await server.clock.pass(2000);
  socket.hears("ping");
  await server.clock.pass(300);
  const [{ code, reason, reconnect }] = endings(server);
  assert.deepEqual([code, reason, reconnect], [1006, "no answer to a ping", true]);
});

test("does not ask when it is not to", async (t) => {
  const { server } = script(t, { pingInterval: 0 });
  server.connects();
  await server.clock.pass(1000); // until the connection has lasted
  assert.equal(server.clock.waiting(), 0);
});

for (const [when, prepare] of Object.entries({
  "before it is connected": () => {},
  "while it connects": ({ client }) => client.connect(),
  "while it waits for an answer": ({ client, server }) => {
    client.connect();
    server.socket.opens();
  },
  "while it is connected": ({ client, server }) => {
    client.connect();
    server.socket.opens();
    server.socket.acks("connect");
    client.subscribe("news", {});
  },
  "between two attempts": ({ client, server }) => {
    client.connect();
    server.socket.closes(1006);
  },
  "after the end": ({ client, server }) => {
    client.connect();
    server.socket.opens();
    server.socket.closes(3500);
  },
})) {
  test(`close() ${when} leaves nothing`, async (t) => {
    const scene = script(t, { subscriberId: "ada" });
    const { client, server } = scene;
    prepare(scene);
    server.told();
    const wasUp = client.state !== "disconnected";
    const connected = client.state === "connecting" && client.connect();
    const socket = server.socket;
    client.close();
    client.close();
    connected && (await assert.rejects(connected, { code: "disconnected", message: "closed by the application" }));
    assert.equal(client.state, "disconnected");
    assert.equal(server.clock.waiting(), 0);
    const told = server.told();
    socket?.readyState < 3 && socket.closes(1000);
    assert.equal(socket?.listeners ?? 0, 0);
    assert.deepEqual(server.told(), []);
    assert.deepEqual(
      told.filter(([event]) => event === "disconnected").map(([, { code, reconnect }]) => [code, reconnect]),
      wasUp ? [[1000, false]] : [],
    );
  });
}
