import assert from "node:assert/strict";
import { test } from "node:test";

import { at, script, settled, span } from "./script.mjs";

const NO_LOSS = { recovered: true };

/** A client that is subscribed to the channel news, of which `seen` were published since. */
function subscribed(t, { seen = 0, options = {}, ...rest } = {}) {
  const scene = script(t, options);
  const { client, server } = scene;
  const socket = server.connects();
  client.subscribe("news", server.handlers(), rest);
  socket.acks("subscribe", { channel: "news", epoch: "a", offset: 0 });
  socket.says(...span("a", 1, seen));
  server.told();
  return { ...scene, socket };
}

/** The connection is cut, and is there again. */
async function reconnects({ client, server }) {
  server.socket.closes(1006);
  client.connect();
  server.socket.opens();
  server.log.splice(0, server.log.length, ...server.log.filter(([event]) => !/connect/.test(event)));
  return server.socket;
}

test("says where it has joined, and brings what is published", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const envelopes = [];
  const answer = client.subscribe("news", {
    ...server.handlers(),
    message: (message, envelope) => envelopes.push([message, envelope]),
  });
  const { id, ...request } = socket.acks("subscribe", { channel: "news", epoch: "a", offset: 4 });
  assert.deepEqual(request, { type: "subscribe", channel: "news" });
  const position = { epoch: "a", offset: 4 };
  assert.deepEqual(await answer, { recovered: null, position });
  assert.deepEqual(server.told(), [["subscribed", { recovered: null, position }]]);
  assert.deepEqual(client.position("news"), position);
  socket.says(at("a", 5), at("a", 6));
  assert.deepEqual(envelopes, [["a5", at("a", 5)], ["a6", at("a", 6)]]);
  assert.deepEqual(client.position("news"), { epoch: "a", offset: 6 });
  assert.equal(client.position("other"), null);
});

test("a function alone is the handler of messages; channels are texts", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const seen = [];
  client.subscribe(7, (message) => seen.push(message));
  assert.equal(socket.acks("subscribe").channel, "7");
  socket.says({ message: "plain", sender_id: null, channel: "7" });
  assert.deepEqual(seen, ["plain"]);
  client.unsubscribe(7);
  socket.hears("unsubscribe");
});

test("an object with methods may be the handlers", (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  class Room {
    seen = [];
    message(message) {
      this.seen.push(message);
    }
  }
  const room = new Room();
  client.subscribe("news", room);
  socket.acks("subscribe", { epoch: "a", offset: 0 });
  socket.says(at("a", 1));
  assert.deepEqual(room.seen, ["a1"]);
});

test("a channel is subscribed to once", async (t) => {
  const { client } = script(t);
  client.subscribe("news", {});
  assert.throws(() => client.subscribe("news", {}), { code: "duplicate" });
  await client.unsubscribe("news");
  client.subscribe("news", {});
});

test("information for the presence goes along each time, as it was", async (t) => {
  const { client, server } = script(t);
  const info = { mood: "fine" };
  client.subscribe("news", {}, { info });
  info.mood = "bad";
  assert.deepEqual(server.connects().acks("subscribe").info, { mood: "fine" });
  assert.deepEqual((await reconnects({ client, server })).acks("subscribe").info, { mood: "fine" });
  assert.throws(() => client.subscribe("other", {}, { info: 1n }), TypeError);
});

test("a subscription that was made before is sent when it is connected", async (t) => {
  const { client, server } = script(t, { subscriberId: "ada" });
  const answer = client.subscribe("news", server.handlers());
  client.connect();
  server.socket.opens();
  server.socket.acks("connect");
  server.socket.acks("subscribe", { epoch: "a", offset: 1 });
  assert.deepEqual(await answer, { recovered: null, position: { epoch: "a", offset: 1 } });
});

test("what comes before the first answer is not of this subscription", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.says(at("a", 4));
  socket.acks("subscribe", { epoch: "a", offset: 4 });
  socket.says(at("a", 5));
  assert.deepEqual(server.told().slice(1), ["a5"]);
});

test("a duplicate is dropped", (t) => {
  const { socket, server } = subscribed(t, { seen: 3 });
  socket.says(at("a", 3), at("a", 1), at("a", 4), at("a", 4));
  assert.deepEqual(server.told(), ["a4"]);
  socket.hearsNothing();
});

test("a hole is closed, and what comes meanwhile waits", (t) => {
  const { socket, server } = subscribed(t, { seen: 2 });
  socket.says(at("a", 5), at("a", 6));
  assert.deepEqual(server.told(), []);
  const publications = span("a", 3, 6);
  assert.deepEqual(socket.acks("subscribe", { epoch: "a", offset: 6, ...NO_LOSS, publications }).recover, {
    epoch: "a",
    offset: 2,
  });
  socket.says(at("a", 7));
  socket.hearsNothing();
  const position = { epoch: "a", offset: 6 };
  assert.deepEqual(server.told(), [["subscribed", { recovered: true, position }], "a3", "a4", "a5", "a6", "a7"]);
});

test("a later loss has its own reason", async (t) => {
  const scene = subscribed(t);
  scene.socket.says(at("a", 2));
  scene.socket.acks("subscribe", { epoch: "a", offset: 2, ...NO_LOSS, publications: span("a", 1, 2) });
  const socket = await reconnects(scene);
  scene.server.told();
  socket.acks("subscribe", { epoch: "b", offset: 0, recovered: false, publications: [] });
  assert.equal(scene.server.told()[1][1].reason, "unrecovered");
});

test("a hole that cannot be closed is told, and what waited comes after it", (t) => {
  const { socket, server } = subscribed(t, { seen: 2 });
  socket.says(at("a", 5), at("a", 6));
  socket.acks("subscribe", { epoch: "a", offset: 9, recovered: false, publications: [] });
  socket.says(at("a", 10));
  assert.deepEqual(server.told(), [
    ["subscribed", { recovered: false, position: { epoch: "a", offset: 9 } }],
    ["gap", { reason: "hole", from: { epoch: "a", offset: 2 }, to: { epoch: "a", offset: 4 } }],
    "a5",
    "a6",
    ["gap", { reason: "hole", from: { epoch: "a", offset: 6 }, to: { epoch: "a", offset: 9 } }],
    "a10",
  ]);
});

test("a new epoch while connected is a hole, too", (t) => {
  const { socket, server } = subscribed(t, { seen: 2 });
  socket.says(at("b", 1));
  assert.deepEqual(socket.hears("subscribe").recover, { epoch: "a", offset: 2 });
  socket.says(at("b", 2), { type: "ack", id: 2, epoch: "b", offset: 2, recovered: false, publications: [] });
  socket.says(at("b", 3), at("b", 2));
  assert.deepEqual(server.told().slice(1), [
    ["gap", { reason: "hole", from: { epoch: "a", offset: 2 }, to: { epoch: "b", offset: 0 } }],
    "b1",
    "b2",
    "b3",
  ]);
});

test("after a reconnect what was missed comes in order, before what is new", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  const socket = await reconnects(scene);
  const { recover } = socket.acks("subscribe", { epoch: "a", offset: 5, ...NO_LOSS, publications: span("a", 3, 5) });
  assert.deepEqual(recover, { epoch: "a", offset: 2 });
  socket.says(at("a", 5), at("a", 6));
  assert.deepEqual(scene.server.told(), [
    ["subscribed", { recovered: true, position: { epoch: "a", offset: 5 } }],
    ...["a3", "a4", "a5", "a6"],
  ]);
});

test("a position without a publication is enough to recover from", async (t) => {
  const scene = subscribed(t);
  const socket = await reconnects(scene);
  assert.deepEqual(socket.acks("subscribe", { epoch: "a", offset: 0, ...NO_LOSS, publications: [] }).recover, {
    epoch: "a",
    offset: 0,
  });
  assert.deepEqual(scene.server.told(), [["subscribed", { recovered: true, position: { epoch: "a", offset: 0 } }]]);
});

test("what cannot be recovered is told", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  const socket = await reconnects(scene);
  socket.acks("subscribe", { epoch: "b", offset: 1, recovered: false, publications: [] });
  socket.says(at("b", 2));
  assert.deepEqual(scene.server.told(), [
    ["subscribed", { recovered: false, position: { epoch: "b", offset: 1 } }],
    ["gap", { reason: "unrecovered", from: { epoch: "a", offset: 2 }, to: { epoch: "b", offset: 1 } }],
    "b2",
  ]);
});

test("what waited when the connection was lost is not lost", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  scene.socket.says(at("a", 4));
  const socket = await reconnects(scene);
  assert.deepEqual(socket.acks("subscribe", { epoch: "b", offset: 0, recovered: false, publications: [] }).recover, {
    epoch: "a",
    offset: 2,
  });
  assert.deepEqual(scene.server.told().slice(1), [
    ["gap", { reason: "hole", from: { epoch: "a", offset: 2 }, to: { epoch: "a", offset: 3 } }],
    "a4",
    ["gap", { reason: "hole", from: { epoch: "a", offset: 4 }, to: { epoch: "b", offset: 0 } }],
  ]);
});

test("what came while the answer was on its way is not taken back by it", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  const socket = await reconnects(scene);
  socket.says(...span("a", 3, 5)); // as in the channel all, which one is in after connect
  socket.acks("subscribe", { epoch: "a", offset: 4, ...NO_LOSS, publications: span("a", 3, 4) });
  assert.deepEqual(scene.client.position("news"), { epoch: "a", offset: 5 });
  socket.says(at("a", 5), at("a", 6));
  assert.deepEqual(scene.server.told().slice(1), ["a3", "a4", "a5", "a6"]);
});

test("a server that promises all and does not give it is not believed", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  const socket = await reconnects(scene);
  socket.acks("subscribe", { epoch: "a", offset: 6, ...NO_LOSS, publications: [at("a", 3), at("a", 5)] });
  assert.deepEqual(scene.server.told().slice(1), [
    "a3",
    ["gap", { reason: "unrecovered", from: { epoch: "a", offset: 3 }, to: { epoch: "a", offset: 4 } }],
    "a5",
    ["gap", { reason: "unrecovered", from: { epoch: "a", offset: 5 }, to: { epoch: "a", offset: 6 } }],
  ]);
});

test("a channel without history has a gap at each reconnect", async (t) => {
  const { client, server } = script(t);
  const plain = (message) => ({ message, sender_id: null, channel: "news" });
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.acks("subscribe", { channel: "news" });
  socket.says(plain("one"));
  server.told();
  const again = await reconnects({ client, server });
  again.says(plain("early")); // as in the channel all, which one is in after connect
  assert.equal(again.acks("subscribe", { channel: "news" }).recover, undefined);
  again.says(plain("two"));
  assert.deepEqual(server.told(), [
    ["subscribed", { recovered: false, position: null }],
    ["gap", { reason: "unrecovered", from: null, to: null }],
    "early",
    "two",
  ]);
});

test("a channel may begin to keep history, and cease to", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.acks("subscribe", { channel: "news" });
  socket.says({ message: "plain", sender_id: null, channel: "news" }, at("a", 1), at("a", 1));
  assert.deepEqual(client.position("news"), { epoch: "a", offset: 1 });
  const again = await reconnects({ client, server });
  assert.deepEqual(again.acks("subscribe", { recovered: false, publications: [] }).recover, { epoch: "a", offset: 1 });
  assert.deepEqual(server.told().slice(1), [
    "plain",
    "a1",
    ["subscribed", { recovered: false, position: null }],
    ["gap", { reason: "unrecovered", from: { epoch: "a", offset: 1 }, to: null }],
  ]);
  assert.equal(client.position("news"), null);
});

test("a position that the server gives unasked is a gap", (t) => {
  const { socket, server } = subscribed(t, { seen: 2 });
  socket.says({ type: "position", channel: "news", epoch: "a", offset: 7, recovered: false }, at("a", 7), at("a", 8));
  assert.deepEqual(server.told(), [
    ["gap", { reason: "position", count: undefined, from: { epoch: "a", offset: 2 }, to: { epoch: "a", offset: 7 } }],
    "a8",
  ]);
  socket.says({ type: "position", channel: "news", epoch: "a", offset: 8, recovered: false }, at("a", 9));
  assert.deepEqual(server.told(), [
    ["gap", { reason: "position", count: undefined, from: { epoch: "a", offset: 8 }, to: { epoch: "a", offset: 8 } }],
    "a9",
  ]);
});

test("a stream that goes on under another epoch has no gap", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  const { client, socket, server } = scene;
  socket.says({ type: "position", channel: "news", epoch: "b", offset: 1, recovered: true }, at("b", 2), at("b", 3));
  assert.deepEqual(server.told(), ["b2", "b3"]);
  const again = await reconnects(scene);
  again.acks("subscribe", { epoch: "c", offset: 5, ...NO_LOSS, publications: span("c", 3, 5) });
  again.says(at("c", 6));
  assert.deepEqual(server.told(), [
    ["subscribed", { recovered: true, position: { epoch: "c", offset: 5 } }],
    ...["c3", "c4", "c5", "c6"],
  ]);
  await reconnects(scene);
  server.socket.acks("subscribe", { epoch: "d", offset: 4, ...NO_LOSS, publications: [] });
  assert.deepEqual(client.position("news"), { epoch: "d", offset: 4 });
  assert.deepEqual(server.told(), [["subscribed", { recovered: true, position: { epoch: "d", offset: 4 } }]]);
});

test("a gap, and drops where there is no position, are told", (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.acks("subscribe", { channel: "news" });
  server.told();
  socket.says(
    { type: "gap", channel: "news" },
    { type: "dropped", channel: "news", count: 3 },
    { type: "dropped", channel: "of nobody", count: 1 },
  );
  assert.deepEqual(server.told(), [
    ["gap", { reason: "gap", count: undefined, from: null, to: null }],
    ["gap", { reason: "dropped", count: 3, from: null, to: null }],
  ]);
});

test("drops are made good where there is a position", (t) => {
  const { socket, server } = subscribed(t, { seen: 2 });
  const dropped = { type: "dropped", channel: "news", count: 2 };
  socket.says(dropped, at("a", 5), dropped);
  socket.acks("subscribe", { epoch: "a", offset: 5, ...NO_LOSS, publications: span("a", 3, 5) });
  assert.deepEqual(server.told().slice(1), ["a3", "a4", "a5"]);
  socket.says(dropped);
  socket.acks("subscribe", { epoch: "a", offset: 9, recovered: false, publications: [] });
  const gap = { reason: "dropped", count: 2, from: { epoch: "a", offset: 5 }, to: { epoch: "a", offset: 9 } };
  assert.deepEqual(server.told().slice(1), [["gap", gap]]);
  socket.hearsNothing();
});

test("a subscription that the server refuses ends", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const answer = client.subscribe("news", server.handlers());
  socket.refuses("subscribe", 1504, "You may not do this.");
  await assert.rejects(answer, { code: 1504, message: "You may not do this." });
  assert.deepEqual(server.told(), [["refused", 1504]]);
  client.subscribe("news", () => {}); // and may be tried again
  socket.refuses("subscribe", 1504);
  assert.deepEqual(server.told().map(([event, { code }]) => [event, code]), [["error", 1504]]);
  (await reconnects({ client, server })).hearsNothing();
});

test("a passing refusal is tried again, later and later", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.refuses("subscribe", 1002);
  await server.clock.pass(1999);
  socket.hearsNothing();
  await server.clock.pass(1);
  socket.refuses("subscribe", 1002);
  await server.clock.pass(4000);
  socket.acks("subscribe", { epoch: "a", offset: 0 });
  assert.deepEqual(server.told().map(([event]) => event), ["subscribed"]);
});

test("when the hole cannot be closed now, what comes waits", async (t) => {
  const { socket, server } = subscribed(t, { seen: 1 });
  socket.says(at("a", 3));
  socket.refuses("subscribe", 1002);
  socket.says(at("a", 4));
  await server.clock.pass(2000);
  socket.acks("subscribe", { epoch: "a", offset: 4, ...NO_LOSS, publications: span("a", 2, 4) });
  assert.deepEqual(server.told().slice(1), ["a2", "a3", "a4"]);
});

test("one that was left while it waited to be tried again is not", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.refuses("subscribe", 1002);
  client.unsubscribe("news");
  socket.acks("unsubscribe");
  await server.clock.pass(5000);
  socket.hearsNothing();
});

test("where recovering is not allowed it joins without, and tells the gap", async (t) => {
  const scene = subscribed(t, { seen: 2 });
  const socket = await reconnects(scene);
  assert(socket.refuses("subscribe", 1504).recover);
  assert.equal(socket.acks("subscribe", { epoch: "a", offset: 3 }).recover, undefined);
  assert.deepEqual(scene.server.told().slice(1), [
    ["gap", { reason: "unrecovered", from: { epoch: "a", offset: 2 }, to: { epoch: "a", offset: 3 } }],
  ]);
  const again = await reconnects(scene);
  assert(again.refuses("subscribe", 1504).recover, "asked again, since the rule may have changed");
  again.refuses("subscribe", 1504);
  assert.deepEqual(scene.server.told(), [["refused", 1504]]);
});

test("when a subscribe is not answered the connection begins anew", async (t) => {
  const { client, server } = script(t, { timeout: 300 });
  const socket = server.connects();
  client.subscribe("news", server.handlers());
  socket.hears("subscribe");
  await server.clock.pass(300);
  const [[, { code, reason, reconnect }]] = server.told();
  assert.deepEqual([code, reason, reconnect], [1006, "no answer to subscribe within 300 ms", true]);
  await server.clock.pass(1000);
  server.socket.opens();
  server.socket.acks("subscribe", { epoch: "a", offset: 0 });
});

test("the promise of a subscribe outlives the connection", async (t) => {
  const { client, server } = script(t);
  server.connects();
  const answer = client.subscribe("news", {});
  const socket = await reconnects({ client, server });
  socket.acks("subscribe", { epoch: "a", offset: 0 });
  assert.deepEqual(await answer, { recovered: null, position: { epoch: "a", offset: 0 } });
});

test("unsubscribe", async (t) => {
  const { client, server, socket } = subscribed(t, { seen: 1 });
  const left = client.unsubscribe("news");
  socket.says(at("a", 2));
  assert.equal(socket.acks("unsubscribe").channel, "news");
  await left;
  await client.unsubscribe("news");
  socket.hearsNothing();
  assert.deepEqual(server.told(), []);
  (await reconnects({ client, server })).hearsNothing();
});

test("unsubscribing ends what waits for the first answer", async (t) => {
  const { client, server } = script(t);
  const answer = client.subscribe("news", server.handlers());
  await client.unsubscribe("news");
  await assert.rejects(answer, { code: "unsubscribed" });
});

test("leaving and coming back at once does not mix the two", async (t) => {
  const { client, server, socket } = subscribed(t, { seen: 1 });
  client.unsubscribe("news");
  const answer = client.subscribe("news", server.handlers());
  socket.says(at("a", 2));
  socket.acks("unsubscribe");
  socket.acks("subscribe", { epoch: "a", offset: 3 });
  socket.says(at("a", 4));
  await answer;
  assert.deepEqual(server.told().slice(1), ["a4"]);
});

test("goes on from a position that the application kept", async (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  const since = { epoch: "a", offset: 1 };
  const answer = client.subscribe("news", server.handlers(), { since });
  const publications = span("a", 2, 3);
  assert.deepEqual(socket.acks("subscribe", { epoch: "a", offset: 3, ...NO_LOSS, publications }).recover, since);
  const told = { recovered: true, position: { epoch: "a", offset: 3 } };
  assert.deepEqual(await answer, told);
  assert.deepEqual(server.told(), [["subscribed", told], "a2", "a3"]);
  assert.deepEqual(since, { epoch: "a", offset: 1 });
});

test("several messages that come at one moment, the answer among them, keep their order", (t) => {
  const { client, server } = script(t);
  const socket = server.connects();
  client.subscribe("news", server.handlers(), { since: { epoch: "a", offset: 0 } });
  const { id } = socket.hears("subscribe");
  const ack = { type: "ack", id, epoch: "a", offset: 2, recovered: true, publications: span("a", 1, 2) };
  socket.says(ack, at("a", 3), at("a", 4));
  assert.deepEqual(server.told().slice(1), ["a1", "a2", "a3", "a4"]);
});

for (const late of [false, true]) {
  test(`an own publication without echo is no hole, answered ${late ? "late" : "early"}`, async (t) => {
    const { client, server, socket } = subscribed(t, { seen: 1 });
    const published = [1, 2].map((number) => client.publish("news", number, { echo: false }));
    const ids = published.map(() => socket.hears("publish").id);
    const answers = ids.map((id, index) => ({ type: "ack", id, publication_id: "p", epoch: "a", offset: 2 + index }));
    socket.says(...(late ? [at("a", 4), ...answers] : [...answers, at("a", 4)]));
    await Promise.all(published);
    await settled();
    socket.says(at("a", 5));
    assert.deepEqual(server.told(), ["a4", "a5"]);
    socket.hearsNothing();
  });
}

test("an own publication without echo hides no hole", async (t) => {
  const { client, server, socket } = subscribed(t, { seen: 1 });
  const published = client.publish("news", "mine", { echo: false });
  const { id } = socket.hears("publish");
  socket.says(at("a", 5), { type: "ack", id, publication_id: "p", epoch: "a", offset: 3 });
  await published;
  await settled();
  assert.deepEqual(server.told(), []);
  const publications = span("a", 2, 5);
  assert.deepEqual(socket.acks("subscribe", { epoch: "a", offset: 5, ...NO_LOSS, publications }).recover, {
    epoch: "a",
    offset: 1,
  });
  assert.deepEqual(server.told().slice(1), ["a2", "a4", "a5"]);
});

test("an own publication without echo that is refused leaves nothing behind", async (t) => {
  const { client, server, socket } = subscribed(t, { seen: 1 });
  const published = client.publish("news", "mine", { echo: false });
  socket.says(at("a", 3));
  socket.refuses("publish", 1504);
  await assert.rejects(published, { code: 1504 });
  assert.deepEqual(server.told(), []);
  socket.hears("subscribe");
});

test("unsubscribing is done when the connection is lost, and fails when it is refused", async (t) => {
  const { client, socket, server } = subscribed(t);
  const left = client.unsubscribe("news");
  client.subscribe("other", server.handlers());
  const refused = client.unsubscribe("other");
  const { id } = socket.hears("unsubscribe");
  socket.hears("subscribe");
  socket.refuses("unsubscribe", 1001);
  await assert.rejects(refused, { code: 1001 });
  assert(id);
  socket.closes(1006);
  await left;
});
