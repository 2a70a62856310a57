// What the tests share: a server that says what the test's script says, and a clock that only the script moves.
import assert from "node:assert/strict";

import { SethPusher } from "../sethpusher.js";

/** Everything that runs when promises are settled has run. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock in place of the global timers, until the test ends. Random is 1, so that waits are the longest possible. */
export function stopClock(t, random = 1) {
  const timers = new Map();
  const clock = { now: 0, waiting: () => timers.size };
  let last = 0;
  t.mock.method(Math, "random", () => random);
  t.mock.method(globalThis, "setTimeout", (action, milliseconds = 0) => {
    assert(milliseconds >= 0 && milliseconds < 2 ** 31, `a timer cannot wait ${milliseconds} ms`);
    timers.set((last += 1), { at: clock.now + milliseconds, action });
    return last;
  });
  t.mock.method(globalThis, "clearTimeout", (timer) => timers.delete(timer));

  /** Lets time pass. */
  clock.pass = async (milliseconds) => {
    const end = clock.now + milliseconds;
    for (;;) {
      const due = [...timers].filter(([, { at }]) => at <= end).sort(([, one], [, other]) => one.at - other.at);
      if (due.length === 0) {
        break;
      }
      const [timer, { at, action }] = due[0];
      clock.now = at;
      timers.delete(timer);
      action();
      await settled();
    }
    clock.now = end;
  };
  return clock;
}

/** The server's side of one connection. */
class Socket {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;
  #unread = [];

  constructor(url) {
    this.url = url;
  }

  send(text) {
    assert.equal(this.readyState, 1, "sent while not open");
    this.#unread.push(JSON.parse(text));
  }

  close() {
    this.readyState = Math.max(this.readyState, 2);
  }

  opens() {
    this.readyState = 1;
    this.onopen?.({});
  }

  says(...messages) {
    for (const message of messages) {
      this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
    }
  }

  closes(code, reason = "") {
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code, reason });
  }

  /** What the client has sent next. */
  next() {
    return this.#unread.shift();
  }

  /** The same; it must be of this type. */
  hears(type) {
    const message = this.next();
    assert.equal(message?.type, type, `not ${type} but ${JSON.stringify(message)}`);
    return message;
  }

  /** Reads a request of this type, and says yes to it. */
  acks(type, fields = {}) {
    const request = this.hears(type);
    this.says({ type: "ack", id: request.id, ...fields });
    return request;
  }

  /** Reads a request of this type, and says no to it. */
  refuses(type, code, message = "no") {
    const request = this.hears(type);
    this.says({ type: "error", id: request.id, code, message });
    return request;
  }

  hearsNothing() {
    assert.deepEqual(this.#unread, []);
  }

  get listeners() {
    return [this.onopen, this.onmessage, this.onerror, this.onclose].filter((listener) => listener !== null).length;
  }
}

/** A client of a server that does only what the script says. What the client tells is noted in `log`. */
export function script(t, options = {}) {
  const server = { sockets: [], log: [], clock: stopClock(t, options.random) };
  class WebSocket extends Socket {
    constructor(url) {
      super(url);
      server.sockets.push(this);
      server.socket = this;
    }
  }
  const client = new SethPusher("http://push.example", { WebSocket, ...options });
  const events = ["connecting", "connected", "disconnected", "message", "notice", "other"];
  for (const event of options.quiet ? events : [...events, "error"]) {
    client.on(event, (...details) => server.log.push([event, ...details]));
  }
  t.after(() => {
    client.close();
    assert.equal(server.clock.waiting(), 0, "timers are left");
    for (const socket of server.sockets) {
      socket.readyState !== 3 && socket.closes(1000);
      assert.equal(socket.listeners, 0, "listeners are left");
    }
  });

  /** What has been told since this was last asked. */
  server.told = () => server.log.splice(0);

  /** Connects an anonymous client, and forgets that it told so. */
  server.connects = () => {
    client.connect();
    server.socket.opens();
    server.told();
    return server.socket;
  };

  /** Handlers of a channel that note everything. */
  server.handlers = () => ({
    message: (message) => server.log.push(message),
    subscribed: (answer) => server.log.push(["subscribed", answer]),
    gap: (gap) => server.log.push(["gap", gap]),
    error: (error) => server.log.push(["refused", error.code]),
  });
  return { client, server };
}

/** The envelope of a publication whose message is its offset. */
export function at(epoch, offset, channel = "news") {
  return { message: `${epoch}${offset}`, sender_id: null, channel, epoch, offset };
}

export function span(epoch, first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => at(epoch, first + index));
}
