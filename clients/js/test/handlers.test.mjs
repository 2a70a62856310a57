import assert from "node:assert/strict";
import { test } from "node:test";

import { at, script, settled, span } from "./script.mjs";

const errors = (server) => server.told().filter(([event]) => event === "error").map(([, { message }]) => message);
const fail = (what) => () => {
  throw new Error(what);
};

test("handlers of a channel that throw, or whose promises fail, are told and harm nothing", async (t) => {
  const { client, server } = script(t);
  const seen = [];
  const socket = server.connects();
  client.subscribe("news", {
    subscribed: fail("subscribed"),
    gap: fail("gap"),
    message(message) {
      seen.push(message);
      return message === "a1" ? fail("message")() : Promise.reject(new Error("promise"));
    },
  });
  socket.acks("subscribe", { epoch: "a", offset: 0 });
  const position = { type: "position", channel: "news", epoch: "a", offset: 5, recovered: false };
  socket.says(at("a", 1), at("a", 2), position, at("a", 6));
  await settled();
  assert.deepEqual(seen, ["a1", "a2", "a6"]);
  assert.deepEqual(errors(server), ["subscribed", "message", "gap", "promise", "promise"]);
  const asked = client.ping();
  socket.acks("ping");
  await asked;
});

for (const event of ["connecting", "connected", "disconnected", "message", "notice", "other"]) {
  test(`a handler of ${event} that throws is told and harms nothing`, async (t) => {
    const { client, server } = script(t);
    client.on(event, fail(event));
    const told = [];
    client.on(event, () => told.push(event));
    client.connect();
    server.socket.opens();
    server.socket.says({ message: 1, target_id: "ada" }, { message: { body: "b" } }, { type: "direct" });
    server.socket.closes(1006);
    await server.clock.pass(1000);
    server.socket.opens();
    assert.equal(client.state, "connected");
    assert(told.length > 0);
    assert.deepEqual(errors(server), told);
  });
}

test("without a handler of errors, or with a bad one, the console has them", async (t) => {
  const printed = t.mock.method(console, "error", () => {});
  const { client, server } = script(t);
  client.on("error", fail("worse"));
  client.on("error", () => Promise.reject(new Error("late")));
  server.connects().says({ type: "error", code: 1500, message: "bad" });
  await settled();
  assert.deepEqual(printed.mock.calls.map(({ arguments: [{ message }] }) => message), ["worse", "late"]);
  assert.deepEqual(errors(server), ["bad"]);
});

test("without any handler of errors the console has them", async (t) => {
  const printed = t.mock.method(console, "error", () => {});
  const { server, client } = script(t, { quiet: true });
  server.connects().says({ type: "error", code: 1500, message: "bad" });
  assert.deepEqual(printed.mock.calls.map(({ arguments: [{ code }] }) => code), [1500]);
  assert.equal(client.state, "connected");
});

test("a handler that was taken away is not called", (t) => {
  const { client, server } = script(t);
  const seen = [];
  const off = client.on("notice", (notice) => seen.push(notice));
  const socket = server.connects();
  socket.says({ message: "one" });
  off();
  off();
  socket.says({ message: "two" });
  assert.deepEqual(seen, ["one"]);
});

test("a handler may leave the channel in the midst of what was recovered", async (t) => {
  const { client, server } = script(t);
  const seen = [];
  const socket = server.connects();
  client.subscribe(
    "news",
    (message) => {
      seen.push(message);
      message === "a2" && client.unsubscribe("news");
    },
    { since: { epoch: "a", offset: 0 } },
  );
  socket.acks("subscribe", { epoch: "a", offset: 4, recovered: true, publications: span("a", 1, 4) });
  socket.acks("unsubscribe");
  socket.says(at("a", 5));
  await settled();
  assert.deepEqual(seen, ["a1", "a2"]);
});

test("a handler may close the client", async (t) => {
  const { client, server } = script(t);
  const seen = [];
  const socket = server.connects();
  client.subscribe("news", (message) => {
    seen.push(message);
    client.close();
  });
  socket.acks("subscribe", { epoch: "a", offset: 0 });
  socket.says(at("a", 1), at("a", 2));
  assert.deepEqual(seen, ["a1"]);
  assert.equal(client.state, "disconnected");
});

test("a handler of an end may connect again, and one of a loss may close", async (t) => {
  const { client, server } = script(t);
  const off = client.on("disconnected", ({ reconnect }) => reconnect || client.connect());
  server.connects().closes(3500);
  assert.equal(server.sockets.length, 2);
  off();
  client.on("disconnected", () => client.close());
  server.socket.closes(1006);
  assert.equal(client.state, "disconnected");
});

test("a handler of connecting may close", async (t) => {
  const { client, server } = script(t);
  client.on("connecting", () => client.close());
  await assert.rejects(client.connect(), { code: "disconnected" });
  assert.equal(server.sockets.length, 0);
});
