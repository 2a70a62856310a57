// A small model of the server behind a line that loses, repeats and breaks, by dice that can be cast again: nothing may
// come twice or out of order, and whatever is missing must have been told in its place.
import assert from "node:assert/strict";
import { test } from "node:test";

import { script, settled } from "./script.mjs";

const CHANNELS = ["one", "two"];
const RUNS = Number(process.env.CHAOS_RUNS ?? 50);
const STEPS = 300;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function dice(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Model {
  kept = new Map(); // envelopes by channel
  offsets = new Map();
  members = new Set();
  outbox = [];
  epochs = 0;
  published = new Map(CHANNELS.map((channel) => [channel, []]));

  constructor(chance, history, faults) {
    this.chance = chance;
    this.history = history;
    this.faults = faults;
    this.restart();
  }

  restart() {
    this.epoch = `e${(this.epochs += 1)}`;
    CHANNELS.forEach((channel) => this.kept.set(channel, []) && this.offsets.set(channel, 0));
    this.cut();
  }

  cut() {
    this.members.clear();
    this.outbox = [];
  }

  position(channel) {
    return this.history ? { epoch: this.epoch, offset: this.offsets.get(channel) } : {};
  }

  publish(channel, message, skip = false) {
    this.offsets.set(channel, this.offsets.get(channel) + 1);
    const envelope = { message, sender_id: null, channel, ...this.position(channel) };
    const kept = this.kept.get(channel);
    kept.push(envelope);
    kept.splice(0, Math.max(0, kept.length - this.history));
    if (this.members.has(channel) && !skip) {
      const copies = this.chance() >= this.faults ? 1 : Math.floor(this.chance() * 3);
      if (copies === 0 && (!this.history || this.chance() < 0.5)) {
        this.outbox.push({ type: "dropped", channel, count: 1 });
      }
      this.outbox.push(...Array(copies).fill(envelope));
    }
  }

  /** Does what the client asks for. */
  serve({ id, type, channel, recover, message, echo }) {
    if (type === "subscribe" && this.chance() < this.faults) {
      const code = recover && this.history < STEPS && this.chance() < 0.5 ? 1504 : 1002;
      this.outbox.push({ type: "error", id, code, message: "dice" });
      return;
    }
    const ack = { type: "ack", id, channel };
    if (type === "subscribe") {
      this.members.add(channel);
      Object.assign(ack, this.position(channel), recover && this.recover(channel, recover));
    } else if (type === "publish") {
      this.publish(channel, message, echo === false);
      Object.assign(ack, { publication_id: "p" }, this.position(channel));
    }
    this.outbox.push(ack);
  }

  recover(channel, { epoch, offset }) {
    const missed = this.kept.get(channel).filter((envelope) => envelope.offset > offset);
    const recovered = epoch === this.epoch && missed.length === this.offsets.get(channel) - offset;
    return { recovered, publications: recovered ? missed : [] };
  }
}

/** Casts the dice until the end, then lets everything come to rest. */
async function run(t, { seed, history, restarts, faults }) {
  const chance = dice(seed);
  const { client, server } = script(t, { timeout: 1000, minDelay: 10, maxDelay: 100, pingInterval: 0 });
  const model = new Model(chance, history, faults);
  const logs = new Map(CHANNELS.map((channel) => [channel, []]));
  let number = 0;
  let owns = 0;
  client.connect();
  for (const [channel, log] of logs) {
    client.subscribe(channel, { message: (message) => log.push(message), gap: () => log.push("gap") });
  }

  const serve = () => {
    const request = server.socket.readyState === 1 && server.socket.next();
    request && model.serve(request);
    return Boolean(request);
  };
  const deliver = () => {
    const frame = server.socket.readyState === 1 && model.outbox.shift();
    frame && server.socket.says(frame);
    return Boolean(frame);
  };
  const cut = () => {
    model.cut();
    server.socket.readyState < 2 && server.socket.closes(1006);
  };
  const publish = (quietly) => {
    const channel = CHANNELS[Math.floor(chance() * CHANNELS.length)];
    if (quietly) {
      client.publish(channel, `own ${(owns += 1)}`, { echo: false }).catch(() => {});
    } else {
      model.publish(channel, (number += 1));
      model.published.get(channel).push(number);
    }
  };
  const open = () => server.socket.readyState === 0 && server.socket.opens();

  for (let step = 0; step < STEPS; step += 1) {
    const cast = chance();
    if (cast < 0.35) publish(false);
    else if (cast < 0.4) publish(true);
    else if (cast < 0.6) serve();
    else if (cast < 0.85) deliver();
    else if (cast < 0.92) await server.clock.pass(chance() * 100);
    else if (cast < 0.97) open();
    else if (cast < 0.98 || !restarts) cut();
    else if (cast < 0.99) cut() ?? model.restart();
    await settled();
  }
  model.faults = 0;
  for (let calm = 0; calm < 3; calm += 1) {
    for (let turn = 0; turn < 60; turn += 1) {
      open();
      while (serve() || deliver()) await settled();
      await server.clock.pass(50);
    }
    CHANNELS.forEach((channel) => model.publish(channel, (number += 1)) ?? model.published.get(channel).push(number));
  }
  while (serve() || deliver()) await settled();
  return { model, logs };
}

/** What is wrong with what came. */
function faultsOf(log, published) {
  const faults = [];
  const own = log.filter((entry) => typeof entry === "string" && entry !== "gap");
  if (new Set(own).size < own.length) {
    faults.push(`an own one twice: ${own}`);
  }
  let last = null;
  let told = false;
  for (const entry of log) {
    if (entry === "gap") {
      told = true;
    } else if (typeof entry === "number") {
      const missing = published.filter((number) => last !== null && number > last && number < entry);
      if (last !== null && entry <= last) {
        faults.push(`${entry} after ${last}`);
      } else if (missing.length > 0 && !told) {
        faults.push(`${missing} is missing before ${entry}, and nothing was said`);
      }
      last = entry;
      told = false;
    }
  }
  if (last !== published.at(-1)) {
    faults.push(`${last} came last, not ${published.at(-1)}`);
  }
  return faults;
}

for (const [name, options] of Object.entries({
  "a long history: nothing is missing": { history: 10 * STEPS, restarts: false, faults: 0.1 },
  "a short history": { history: 3, restarts: false, faults: 0.1 },
  "a history that begins anew now and then": { history: 20, restarts: true, faults: 0.1 },
  "no history": { history: 0, restarts: true, faults: 0.1 },
})) {
  test(name, async (t) => {
    let [came, gaps] = [0, 0];
    for (let seed = 1; seed <= RUNS; seed += 1) {
      await t.test(`seed ${seed}`, async (t) => {
        const { model, logs } = await run(t, { seed, ...options });
        for (const [channel, log] of logs) {
          const published = model.published.get(channel);
          if (options.history === 0) { // nobody can see that one came twice
            log.splice(0, log.length, ...log.filter((entry, index) => entry === "gap" || log.indexOf(entry) === index));
          }
          assert.deepEqual(faultsOf(log, published), [], JSON.stringify({ channel, log, published }));
          const told = log.filter((entry) => entry === "gap").length;
          if (options.history > STEPS) {
            assert.equal(told, 0, "a gap although all is kept");
          }
          gaps += told;
          came += log.length - told;
        }
      });
    }
    t.diagnostic(`${came} publications, ${gaps} gaps`);
  });
}
