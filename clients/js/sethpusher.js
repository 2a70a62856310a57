// A client for Seth-Pusher in browsers and Node 20+. README.md says how to use it, sethpusher.d.ts what there is, and
// docs/wire.md of the server what is spoken.

const AWAY = "away"; // not joined, and nothing under way
const JOINING = "joining"; // to be answered
const JOINED = "joined";
const LEFT = "left"; // for good

/** What promises are rejected with; `code` is the server's number, or a word for what happened on this side. */
export class SethPusherError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "SethPusherError";
    this.code = code;
  }

  get temporary() {
    return typeof this.code !== "number" || this.code < 1500;
  }
}

/**
 * One channel: where it stands, and what reaches the application in which order.
 *
 * `position` is that of the last publication seen; null where the channel keeps no history. What does not come right
 * after it is a duplicate, and dropped, or shows a hole: then the channel is joined anew with `recover`, and what comes
 * meanwhile is held back.
 */
class Subscription {
  state = AWAY;
  failures = 0; // of joining, since it last succeeded
  #known; // whether there is anything yet that could be missed
  #why = {}; // what made it necessary to join anew
  #held = [];
  #silent = 0; // own publications without echo that are not answered yet
  #own = new Set(); // offsets of answered ones that lie ahead

  constructor(channel, { since = null, info = null }, tell, join) {
    this.channel = channel;
    this.info = JSON.parse(JSON.stringify(info)); // a copy, and proof that it is JSON
    this.position = since;
    this.recoverable = true; // until that is refused
    this.first = deferred(); // the first answer
    this.#known = since !== null;
    this.tell = (event, ...details) => this.state !== LEFT && tell(event, ...details);
    this.join = () => join(this);
  }

  leave(error) {
    this.state = LEFT;
    this.first.reject(error);
  }

  /** The server has answered: it is joined, from now on. */
  joined(ack) {
    const recovered = this.#known ? ack.recovered === true : null;
    const answer = { recovered, position: positionIn(ack) };
    const loss = recovered === false ? { reason: "unrecovered", ...this.#why } : null;
    this.state = JOINED;
    this.failures = 0;
    this.recoverable = this.#known = true;
    this.#why = {};
    if (recovered && ack.epoch !== this.position?.epoch) {
      this.#rename({ epoch: ack.epoch, offset: (ack.publications?.[0]?.offset ?? ack.offset + 1) - 1 });
    }
    this.tell("subscribed", answer);
    this.#goOn(answer.position, [...(ack.publications ?? []), ...this.#held.splice(0)], loss);
    this.first.resolve(answer);
  }

  /** A publication has come. */
  take(publication) {
    if (this.#known) {
      this.#held.push(publication);
      this.#drain();
    }
  }

  /** The server says that something was lost on its side. */
  miss({ type: reason, count, recovered, ...where }) {
    if (this.state !== JOINED) {
      return; // the answer that is under way will tell
    }
    if (recovered === true) {
      this.#rename(positionIn(where));
      this.#drain();
      return;
    }
    if (reason === "dropped" && this.position) {
      this.#why = { reason, count };
      this.join();
    } else {
      this.#goOn(positionIn(where), this.#held.splice(0), { reason, count });
    }
  }

  /** An own publication that does not come back is on its way out. */
  expectSilence() {
    this.#silent += 1;
  }

  /** It was answered; `position` is null if it was not taken. */
  endSilence(position) {
    const here = this.position;
    this.#silent -= 1;
    if (position && position.epoch === here?.epoch && position.offset > here.offset) {
      this.#own.add(position.offset);
      this.#moveTo(here);
    }
    this.#drain();
  }

  /** Gives out what came, and goes on from `to`. Whatever is missing before either is told, and why: `loss`. */
  #goOn(to, came, loss) {
    let told = false;
    const tellGap = (end) => {
      told = true;
      this.tell("gap", { reason: "unrecovered", ...loss, from: this.position, to: end });
    };
    if (loss && !to) {
      tellGap(to);
    }
    for (const publication of came) {
      if (this.#isBeyondHole(publication)) {
        tellGap({ epoch: publication.epoch, offset: publication.offset - 1 });
      }
      this.#deliver(publication);
    }
    const here = this.position;
    if (to && here && (to.epoch !== here.epoch || to.offset > here.offset)) {
      tellGap(to);
      this.#own.clear();
    } else if (to && here) {
      to = here;
    }
    if (loss && !told) {
      tellGap(to);
    }
    this.position = to;
  }

  #drain() {
    while (this.state === JOINED && this.#held.length > 0) {
      if (!this.#isBeyondHole(this.#held[0])) {
        this.#deliver(this.#held.shift());
      } else if (this.#silent > 0) {
        return; // an own publication may turn out to fill the hole
      } else {
        this.#why = { reason: "hole" };
        this.join();
      }
    }
  }

  #isBeyondHole({ epoch, offset }) {
    const here = this.position;
    return offset !== undefined && here !== null && (epoch !== here.epoch || offset > here.offset + 1);
  }

  #deliver(publication) {
    const { epoch, offset, message } = publication;
    if (offset !== undefined) {
      if (epoch === this.position?.epoch && offset <= this.position.offset) {
        return; // a duplicate
      }
      this.#moveTo({ epoch, offset });
    }
    this.tell("message", message, publication);
  }

  /** Nothing is missing, but the stream goes on under another epoch. */
  #rename(position) {
    this.#own.clear();
    this.position = position;
  }

  #moveTo({ epoch, offset }) {
    while (this.#own.delete(offset + 1)) {
      offset += 1;
    }
    this.position = { epoch, offset };
  }
}

/** A connection that comes back, and the channels that are subscribed to over it. */
export class SethPusher {
  #url;
  #options;
  #state = "disconnected";
  #listeners = new Map();
  #subscriptions = new Map();
  #link = null; // the present connection or attempt: its socket, its timers, the requests that it has to answer
  #retry; // the timer between two attempts
  #attempts = 0; // since a connection has lasted
  #ready = null; // what connect() has promised
  #lastId = 0;

  constructor(url, options = {}) {
    const { WebSocket } = globalThis;
    const times = { timeout: 10e3, minDelay: 1e3, maxDelay: 30e3, pingInterval: 25e3 };
    this.#options = { WebSocket, ...times, comeBackOn: [], ...options };
    if (!this.#options.SockJS && !this.#options.WebSocket) {
      throw new TypeError("There is no WebSocket here: give one in the options.");
    }
    this.#url = endpoint(url, this.#options.SockJS);
  }

  get state() {
    return this.#state;
  }

  /** Calls a handler with each event of a kind; gives what ends that. */
  on(event, handler) {
    const handlers = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Connects, and stays connected until close(). Between two attempts: tries at once. */
  connect() {
    if (this.#state === "connected") {
      return Promise.resolve();
    }
    const { promise } = (this.#ready ??= deferred());
    if (this.#link === null) {
      this.#open();
    }
    return promise;
  }

  /** Ends everything: the connection, its coming back, and all subscriptions. */
  close() {
    const error = new SethPusherError("disconnected", "closed by the application");
    for (const channel of [...this.#subscriptions.keys()]) {
      this.#forget(channel, error);
    }
    if (this.#state !== "disconnected") {
      this.#end(this.#link, { code: 1000, reason: error.message, error, reconnect: false });
    }
  }

  /** Subscribes to a channel, now and after each reconnect. The promise is that of the first answer. */
  subscribe(channel, handlers, options = {}) {
    const name = String(channel);
    if (this.#subscriptions.has(name)) {
      throw new SethPusherError("duplicate", `already subscribed to ${name}`);
    }
    const named = typeof handlers === "function" ? { message: handlers } : handlers;
    const tell = (event, ...details) => {
      if (named[event]) {
        this.#run(() => named[event](...details));
      } else if (event === "error") {
        this.#report(...details);
      }
    };
    const subscription = new Subscription(name, options, tell, (self) => this.#join(self));
    this.#subscriptions.set(name, subscription);
    if (this.#state === "connected") {
      subscription.join();
    }
    return subscription.first.promise;
  }

  /** Leaves a channel. */
  async unsubscribe(channel) {
    const known = this.#forget(String(channel), new SethPusherError("unsubscribed", `unsubscribed from ${channel}`));
    if (known && this.#state === "connected") {
      await this.request({ type: "unsubscribe", channel }).catch((error) => {
        if (error.code !== "disconnected") { // which has the same effect
          throw error;
        }
      });
    }
  }

  /** The position after which a channel goes on, null where there is none: pass it as `since` to go on from there. */
  position(channel) {
    return this.#subscriptions.get(String(channel))?.position ?? null;
  }

  async publish(channel, message, { echo = true, idempotencyKey } = {}) {
    const request = { type: "publish", channel, message, idempotency_key: idempotencyKey };
    const subscription = echo ? undefined : this.#subscriptions.get(String(channel));
    let position = null;
    subscription?.expectSilence();
    try {
      const ack = await this.request(echo ? request : { ...request, echo });
      position = positionIn(ack);
      return { id: ack.publication_id, position };
    } finally {
      subscription?.endSilence(position);
    }
  }

  async presence(channel) {
    const { people, anonymous } = await this.request({ type: "presence", channel });
    return { people, anonymous };
  }

  async history(channel, { limit, since, reverse } = {}) {
    const ack = await this.request({ type: "history", channel, limit, since, reverse });
    return { publications: ack.publications, position: positionIn(ack), recovered: ack.recovered };
  }

  /** Asks for a sign of life; gives the milliseconds that it took. */
  async ping() {
    const begun = performance.now();
    await this.request({ type: "ping" });
    return performance.now() - begun;
  }

  /** Sends any message, such as one that a plugin handles; gives the whole `ack`. */
  request(message) {
    return new Promise((resolve, reject) => {
      if (this.#state !== "connected") {
        throw new SethPusherError("disconnected", "not connected");
      }
      this.#ask(this.#link, message, resolve, reject);
    });
  }

  // ------------------------------------------------------------------------------------------------ the connection

  async #open() {
    const { token, getToken, timeout } = this.#options;
    const link = { socket: null, timers: new Set(), pending: new Map(), hint: null, heard: false };
    clearTimeout(this.#retry);
    this.#link = link;
    this.#state = "connecting";
    link.opening = this.#later(link, timeout, () => this.#end(link, { code: 1006, reason: "no connection in time" }));
    this.#emit("connecting");
    try {
      this.#dial(link, getToken ? await getToken() : token);
    } catch (error) {
      this.#report(error);
      this.#end(link, { code: 1006, reason: error.message, error });
    }
  }

  #dial(link, token) {
    if (link !== this.#link) {
      return;
    }
    const { SockJS, WebSocket, subscriberId } = this.#options;
    const socket = SockJS ? new SockJS(this.#url) : new WebSocket(this.#url);
    const refused = (error) =>
      this.#end(link, { code: 1000, reason: `refused: ${error.message}`, error, reconnect: error.temporary });
    link.socket = socket;
    socket.onopen = () => {
      socket.onerror = nothing; // it says nothing that the close does not
      if (subscriberId === undefined && token === undefined) {
        this.#connected(link);
      } else {
        const request = { type: "connect", subscriber_id: subscriberId, token };
        this.#ask(link, request, () => this.#connected(link), refused);
      }
    };
    socket.onmessage = (event) => this.#heard(link, event.data);
    socket.onclose = ({ code = 1006, reason = "" }) => this.#end(link, { code, reason });
    socket.onerror = () => this.#end(link, { code: 1006, reason: "no connection" }); // in Node no close may follow
  }

  #connected(link) {
    const ready = this.#ready;
    clearTimeout(link.opening);
    this.#state = "connected";
    this.#ready = null;
    // A connection that does not last as long as one may have waited for it is no success.
    this.#later(link, this.#longestDelay(this.#attempts), () => (this.#attempts = 0));
    if (this.#options.pingInterval > 0) {
      this.#beat(link);
    }
    this.#subscriptions.forEach((subscription) => subscription.join());
    ready?.resolve();
    this.#emit("connected");
  }

  #end(link, { code, reason, error, reconnect = this.#comesBack(link, code) }) {
    if (link !== this.#link) {
      return;
    }
    const lost = error ?? new SethPusherError("disconnected", `connection lost: ${code} ${reason}`);
    const ready = this.#ready;
    let delay = null;
    clearTimeout(this.#retry);
    this.#link = null;
    if (reconnect) {
      delay = link.hint ?? Math.random() * this.#longestDelay(this.#attempts); // "full jitter"
      this.#attempts += 1;
      this.#state = "connecting";
      this.#retry = setTimeout(() => this.#open(), delay);
    } else {
      this.#attempts = 0;
      this.#state = "disconnected";
      this.#ready = null;
      ready?.reject(lost);
    }
    this.#subscriptions.forEach((subscription) => (subscription.state = AWAY));
    link?.timers.forEach(clearTimeout);
    release(link?.socket);
    link?.pending.forEach(({ no, timer }) => {
      clearTimeout(timer);
      no(new SethPusherError("disconnected", lost.message));
    });
    this.#emit("disconnected", { code, reason, reconnect, delay, error });
  }

  #comesBack(link, code) {
    return code < 3500 || (code >= 4000 && (link.hint !== null || this.#options.comeBackOn.includes(code)));
  }

  #longestDelay(attempts) {
    return Math.min(this.#options.maxDelay, this.#options.minDelay * 2 ** attempts);
  }

  /** Asks for a sign of life whenever nothing has come for a while. */
  #beat(link) {
    link.heard = false;
    this.#later(link, this.#options.pingInterval, () => {
      if (!link.heard) {
        const silent = { code: 1006, reason: "no answer to a ping" };
        this.#ask(link, { type: "ping" }, nothing, ({ code }) => code === "timeout" && this.#end(link, silent));
      }
      this.#beat(link);
    });
  }

  /** Calls back later, unless the connection has ended by then. */
  #later(link, milliseconds, action) {
    const timer = setTimeout(() => {
      link.timers.delete(timer);
      action();
    }, milliseconds);
    link.timers.add(timer);
    return timer;
  }

  // -------------------------------------------------------------------------------------------------- the messages

  /** Sends a request. It calls back, since a promise might be settled only after what comes next was heard. */
  #ask(link, request, yes, no) {
    const { timeout } = this.#options;
    const id = (this.#lastId += 1);
    link.socket.send(JSON.stringify({ ...request, id }));
    const timer = setTimeout(() => {
      link.pending.delete(id);
      no(new SethPusherError("timeout", `no answer to ${request.type} within ${timeout} ms`));
    }, timeout);
    link.pending.set(id, { yes, no, timer });
  }

  #join(subscription) {
    const { channel, info, position, recoverable } = subscription;
    const recover = (recoverable && position) || undefined;
    const failed = (error) => this.#notJoined(subscription, error, recover);
    subscription.state = JOINING;
    this.#ask(
      this.#link,
      { type: "subscribe", channel, recover, info: info ?? undefined },
      (ack) => subscription.state === JOINING && subscription.joined(ack),
      (error) => subscription.state === JOINING && failed(error),
    );
  }

  #notJoined(subscription, error, recover) {
    const { channel } = subscription;
    if (error.code === "timeout") { // nobody knows whether it is joined: begin afresh
      this.#end(this.#link, { code: 1006, reason: error.message });
    } else if (error.temporary) {
      const delay = Math.random() * this.#longestDelay((subscription.failures += 1));
      this.#later(this.#link, delay, () => subscription.state === JOINING && subscription.join());
    } else if (recover) { // not allowed, or not offered any more
      subscription.recoverable = false;
      subscription.join();
    } else {
      subscription.tell("error", error);
      this.#forget(channel, error);
    }
  }

  #forget(channel, error) {
    this.#subscriptions.get(channel)?.leave(error);
    return this.#subscriptions.delete(channel);
  }

  #heard(link, text) {
    link.heard = true;
    let said;
    try {
      said = JSON.parse(text) ?? {};
    } catch (error) {
      this.#report(error);
      return;
    }
    const { type, channel, message } = said;
    const subscription = this.#subscriptions.get(channel);
    if (type === "ack" || type === "error") {
      this.#answered(link, said);
    } else if (type === "position" || type === "gap" || type === "dropped") {
      subscription?.miss(said);
    } else if (type === "reconnect") {
      link.hint = Math.min(Math.max(said.after * 1000, 0), 2 ** 31 - 1) || 0; // what a timer can hold
    } else if (type === "expiring") {
      this.#run(() => this.#refresh(link));
    } else if (type !== undefined || message === undefined) {
      this.#emit("other", said);
    } else if (channel !== undefined) {
      subscription?.take(said);
    } else if (said.target_id !== undefined) {
      this.#emit("message", message, said);
    } else {
      this.#emit("notice", message);
    }
  }

  #answered(link, said) {
    const { type, id, code, message } = said;
    const asked = link.pending.get(id);
    link.pending.delete(id);
    clearTimeout(asked?.timer);
    if (type === "ack") {
      asked?.yes(said);
    } else if (asked) {
      asked.no(new SethPusherError(code, message));
    } else if (id === undefined) { // else it is late: the request has been given up
      this.#report(new SethPusherError(code, message));
    }
  }

  async #refresh(link) {
    const token = await this.#options.getToken?.();
    if (token !== undefined && link === this.#link) {
      await this.request({ type: "refresh", token });
    }
  }

  // ------------------------------------------------------------------------------------------------ the application

  #emit(event, ...details) {
    for (const handler of [...(this.#listeners.get(event) ?? [])]) {
      this.#run(() => handler(...details));
    }
  }

  /** Runs code of the application, whose faults are not the client's. */
  #run(action, report = (error) => this.#report(error)) {
    try {
      action()?.then?.(undefined, report);
    } catch (error) {
      report(error);
    }
  }

  #report(error) {
    const handlers = [...(this.#listeners.get("error") ?? [])];
    for (const handler of handlers) {
      this.#run(() => handler(error), (worse) => console.error(worse));
    }
    if (handlers.length === 0) {
      console.error(error);
    }
  }
}

function nothing() {}

function positionIn({ epoch, offset }) {
  return epoch === undefined ? null : { epoch, offset };
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  parts.promise.catch(nothing); // who does not wait for it hears of it by events
  return parts;
}

/** Where to connect: the server's address means its /connect; one with a path means that endpoint. */
function endpoint(address, SockJS) {
  const url = new URL(address, globalThis.location?.href);
  const path = url.pathname.replace(/\/+$/, "") || "/connect";
  const protocol = (SockJS ? "http" : "ws") + (/^(https|wss):$/.test(url.protocol) ? "s:" : ":");
  return `${protocol}//${url.host}${path}${SockJS ? "" : "/websocket"}${url.search}`;
}

/** Closes a socket and ceases to listen to it; what it still complains of in closing goes nowhere. */
function release(socket) {
  if (socket) {
    socket.onopen = socket.onmessage = null;
    socket.onclose = () => (socket.onclose = socket.onerror = null);
    socket.readyState === 3 ? socket.onclose() : socket.close();
  }
}
