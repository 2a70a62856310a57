import assert from "node:assert/strict";
import { test } from "node:test";

import { SethPusherError } from "../sethpusher.js";
import { script, settled } from "./script.mjs";

test("each request has an id, and its own answer", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const asked = [1, 2, 3].map((number) => client.request({ type: "plugin", number }));
  const heard = asked.map(() => socket.hears("plugin"));
  assert.equal(new Set(heard.map(({ id }) => id)).size, 3);
  for (const { id, number } of heard.reverse()) {
    socket.says({ type: "ack", id, answer: number });
  }
  assert.deepEqual((await Promise.all(asked)).map(({ answer }) => answer), [1, 2, 3]);
});

test("a refusal has the server's code and message", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  for (const [code, temporary] of [[1001, true], [1499, true], [1500, false], [2000, false]]) {
    const asked = client.ping();
    socket.refuses("ping", code, `not now: ${code}`);
    await assert.rejects(asked, (error) => {
      assert(error instanceof SethPusherError);
      assert.deepEqual([error.code, error.message, error.temporary], [code, `not now: ${code}`, temporary]);
      return true;
    });
  }
});

test("a request that is not answered in time fails, and its late answer does nothing", async (t) => {
  const { client, server } = script(t, { timeout: 200 });
  const socket = server.connects();
  const asked = client.ping();
  const { id } = socket.hears("ping");
  await Promise.all([
    assert.rejects(asked, { code: "timeout", temporary: true, message: "no answer to ping within 200 ms" }),
    server.clock.pass(200),
  ]);
  socket.says({ type: "ack", id }, { type: "error", id, code: 1001, message: "too late" });
  assert.deepEqual(server.told(), []);
  assert.equal(client.state, "connected");
});

test("a request whose connection is lost fails", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const asked = client.publish("news", "hello");
  socket.closes(1006, "cable");
  await assert.rejects(asked, { code: "disconnected", temporary: true, message: "connection lost: 1006 cable" });
});

test("a request without a connection fails at once", async (t) => {
  const { client } = script(t);
  await assert.rejects(client.ping(), { code: "disconnected", message: "not connected" });
  client.connect();
  await assert.rejects(client.ping(), { code: "disconnected", message: "not connected" });
});

test("a request that is no JSON fails, and leaves nothing behind", async (t) => {
  const { client, server } = script(t);
  server.connects();
  const waiting = server.clock.waiting();
  await assert.rejects(client.publish("news", 1n), TypeError);
  assert.equal(server.clock.waiting(), waiting);
});

test("an error without an id is told", (t) => {
  const { server } = script(t);
  server.connects().says({ type: "error", code: 1501, message: "Wrong type: dance." });
  const [[event, error]] = server.told();
  assert.deepEqual([event, error.code, error.message], ["error", 1501, "Wrong type: dance."]);
});

test("what is no JSON is told", (t) => {
  const { server } = script(t);
  server.connects().says("{");
  assert.deepEqual(server.told().map(([event, { name }]) => [event, name]), [["error", "SyntaxError"]]);
});

test("publish", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const published = client.publish("news", { my: "data" }, { idempotencyKey: "k" });
  const { id, ...request } = socket.acks("publish", { publication_id: "p1", epoch: "a", offset: 3 });
  assert.deepEqual(request, { type: "publish", channel: "news", message: { my: "data" }, idempotency_key: "k" });
  assert.deepEqual(await published, { id: "p1", position: { epoch: "a", offset: 3 } });

  const plain = client.publish(7, null, { echo: false });
  const { id: _, ...rest } = socket.acks("publish", { publication_id: "p2" });
  assert.deepEqual(rest, { type: "publish", channel: 7, message: null, echo: false });
  assert.deepEqual(await plain, { id: "p2", position: null });
});

test("presence", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const people = [{ subscriber_id: "ada", connections: 2, info: { mood: "fine" } }];
  const asked = client.presence("news");
  assert.equal(socket.acks("presence", { channel: "news", people, anonymous: 1 }).channel, "news");
  assert.deepEqual(await asked, { people, anonymous: 1 });
});

test("history", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const publications = [{ message: 1, channel: "news", sender_id: null, epoch: "a", offset: 1 }];
  const since = { epoch: "a", offset: 0 };
  const asked = client.history("news", { limit: 1, since, reverse: true });
  const { id, ...request } = socket.acks("history", { epoch: "a", offset: 9, recovered: true, publications });
  assert.deepEqual(request, { type: "history", channel: "news", limit: 1, since, reverse: true });
  assert.deepEqual(await asked, { publications, position: { epoch: "a", offset: 9 }, recovered: true });
});

test("ping says how long it took", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const asked = client.ping();
  socket.acks("ping");
  assert((await asked) >= 0);
});

test("messages to the user, notices and what it does not know have their own events", async (t) => {
  const { server } = script(t);
  const socket = server.connects();
  const personal = { message: { hi: "you" }, sender_id: "shop", target_id: "ada" };
  const notice = { body: "User: ada connected.", subscriber_id: "ada", type: "connect" };
  const direct = { type: "direct", text: "of a plugin" };
  socket.says(personal, { message: notice }, direct, null, { message: 1, channel: "of nobody", sender_id: null });
  await settled();
  assert.deepEqual(server.told(), [
    ["message", personal.message, personal],
    ["notice", notice],
    ["other", direct],
    ["other", {}],
  ]);
});
