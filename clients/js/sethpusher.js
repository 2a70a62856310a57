// A client for Seth-Pusher in browsers and Node 20+; README.md says how to use it, sethpusher.d.ts what there is.
// The wire is described in docs/wire.md of the server.

const AWAY = "away"; // not joined, and nothing under way
const JOINING = "joining"; // asked, and not answered yet
const JOINED = "joined";
const LEFT = "left"; // for good

const LONGEST_TIMER = 2 ** 31 - 1; // what setTimeout can hold

/** What a promise is rejected with. `code` is the server's number, or "timeout", "disconnected", "unsubscribed". */
export class SethPusherError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "SethPusherError";
    this.code = code;
  }

  /** Whether the same may succeed later. */
  get temporary() {
    return typeof this.code !== "number" || this.code < 1500;
  }
}

/**
 * One channel: where it stands, and what reaches the application in which order.
 *
 * `position` is that of the last publication seen; null where the channel keeps no history. Whatever does not come right
 * after it is either a duplicate, and dropped, or the end of a hole: then the channel is joined anew with `recover`, and
 * what comes meanwhile is held back.
 */
class Subscription {
  state = AWAY;
  #host;
  #handlers;
  #info;
  #first = deferred();
  #known; // whether there is anything that could be missed
  #hopeless = false; // whether recovering was refused for good
  #why = {}; // what made it necessary to join anew
  #failures = 0;
  #held = [];
  #silent = 0; // own publications without echo that are not answered yet
  #own = new Set(); // offsets of those that are, and lie ahead

  constructor(host, channel, handlers, { since = null, info }) {
    this.channel = channel;
    this.position = since;
    this.#host = host;
    this.#handlers = handlers;
    this.#known = since !== null;
    this.#info = info;
  }

  /** Settled by the first answer. */
  get answer() {
    return this.#first.promise;
  }

  join() {
    this.state = JOINING;
    const recover = (!this.#hopeless && this.position) || undefined;
    const request = { type: "subscribe", channel: this.channel, recover, info: this.#info };
    this.#host.ask(request, (ack) => this.#joined(ack), (error) => this.#refused(error, recover));
  }

  /** The connection is lost. */
  lost() {
    this.state = AWAY;
  }

  leave(error) {
    this.state = LEFT;
    this.#held = [];
    this.#first.reject(error);
  }

  /** A publication has come. */
  take(publication) {
    if (this.state === JOINED || this.#known) {
      this.#held.push(publication);
      this.#drain();
    }
  }

  /** The server says that something was lost on its side. */
  miss({ type, epoch, offset, count }) {
    if (this.state !== JOINED) {
      return; // the answer that is under way will tell
    }
    if (type === "dropped" && this.position) {
      this.#joinAnew({ reason: type, count });
    } else {
      this.#goOn(positionIn({ epoch, offset }), this.#held.splice(0), { reason: type, count });
    }
  }

  /** An own publication that will not come back is on its way out. */
  expectSilence() {
    this.#silent += 1;
  }

  /** It was answered; `position` is null if it was not taken. */
  endSilence(position) {
    this.#silent -= 1;
    const here = this.position;
    if (position && here && position.epoch === here.epoch && position.offset > here.offset) {
      this.#own.add(position.offset);
      this.#moveTo(here);
    }
    this.#drain();
  }

  #joined(ack) {
    if (this.state !== JOINING) {
      return;
    }
    const recovered = this.#known ? ack.recovered === true : null;
    const answer = { recovered, position: positionIn(ack) };
    const came = [...(ack.publications ?? []), ...this.#held.splice(0)];
    const why = { reason: "reconnect", ...this.#why };
    this.state = JOINED;
    this.#known = true;
    this.#hopeless = false;
    this.#why = {};
    this.#failures = 0;
    this.#tell("subscribed", answer);
    this.#goOn(answer.position, came, recovered === false ? why : null);
    this.#first.resolve(answer);
  }

  #refused(error, recover) {
    if (this.state !== JOINING || error.code === "disconnected") {
      return;
    }
    if (error.code === "timeout") {
      this.#host.giveUp(error.message); // nobody knows whether it is joined: begin afresh
    } else if (error.temporary) {
      this.#failures += 1;
      this.#host.later(this.#failures, () => this.state === JOINING && this.join());
    } else if (recover) {
      this.#hopeless = true;
      this.join();
    } else {
      this.leave(error);
      this.#host.refused(this, error);
      if (this.#handlers.error) {
        this.#host.run(() => this.#handlers.error(error));
      }
    }
  }

  #joinAnew(why) {
    this.#why = why;
    this.join();
  }

  /** Gives out what came, in order, and goes on from a position. `loss` says why something is missing, if it is. */
  #goOn(to, came, loss) {
    const from = this.position;
    if (loss) {
      this.#tell("gap", { ...loss, from, to });
    }
    came.forEach((publication) => this.#deliver(publication));
    const here = this.position;
    if (to && here && here.epoch === to.epoch && here.offset >= to.offset) {
      return;
    }
    if (from && !loss) {
      this.#tell("gap", { reason: "reconnect", from: here, to }); // all was promised, and it was not all
    }
    this.#own.clear();
    this.position = to;
  }

  #drain() {
    while (this.state === JOINED && this.#held.length > 0) {
      const { epoch, offset } = this.#held[0];
      const here = this.position;
      if (offset !== undefined && here && !(epoch === here.epoch && offset <= here.offset + 1)) {
        if (this.#silent === 0) {
          this.#joinAnew({ reason: "hole" });
        }
        return; // or an own publication may turn out to fill the hole
      }
      this.#deliver(this.#held.shift());
    }
  }

  #deliver(publication) {
    const { epoch, offset, message } = publication;
    if (offset !== undefined) {
      const here = this.position;
      if (here?.epoch === epoch && offset <= here.offset) {
        return;
      }
      const own = this.#own.delete(offset);
      this.#moveTo({ epoch, offset });
      if (own) {
        return;
      }
    }
    this.#tell("message", message, publication);
  }

  #moveTo({ epoch, offset }) {
    while (this.#own.delete(offset + 1)) {
      offset += 1;
    }
    this.position = { epoch, offset };
  }

  #tell(event, ...details) {
    if (this.state !== LEFT && this.#handlers[event]) {
      this.#host.run(() => this.#handlers[event](...details));
    }
  }
}

/** One client: a connection that comes back, and the channels it is subscribed to. */
export class SethPusher {
  #url;
  #options;
  #state = "disconnected";
  #listeners = new Map();
  #subscriptions = new Map();
  #link = null; // the present connection or attempt: its socket, its timers, and the requests not answered yet
  #retry; // the timer between two attempts
  #attempts = 0; // since a connection lasted
  #ready = null; // what connect() has promised
  #lastId = 0;

  constructor(url, options = {}) {
    const defaults = { timeout: 10_000, minDelay: 1_000, maxDelay: 30_000, pingInterval: 25_000 };
    this.#options = { WebSocket: globalThis.WebSocket, ...defaults, ...options };
    if (!this.#options.SockJS && !this.#options.WebSocket) {
      throw new TypeError("There is no WebSocket here: give one in the options.");
    }
    this.#url = endpoint(url, this.#options.SockJS);
  }

  /** "disconnected", "connecting" (also between two attempts) or "connected". */
  get state() {
    return this.#state;
  }

  /** Calls a handler with each event of a kind; gives a function that ends that. */
  on(event, handler) {
    const handlers = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Connects, and stays connected until close(); between two attempts: tries at once. */
  connect() {
    if (this.#state === "connected") {
      return Promise.resolve();
    }
    this.#ready ??= deferred();
    const { promise } = this.#ready;
    if (this.#link === null) {
      this.#open();
    }
    return promise;
  }

  /** Ends everything: the connection, its coming back, and all subscriptions. */
  close() {
    const error = new SethPusherError("disconnected", "closed by the application");
    clearTimeout(this.#retry);
    for (const subscription of this.#subscriptions.values()) {
      subscription.leave(error);
    }
    this.#subscriptions.clear();
    if (this.#state !== "disconnected") {
      this.#end(this.#link, { code: 1000, reason: error.message, error }, false);
    }
  }

  /** Subscribes to a channel, now and after each reconnect. */
  subscribe(channel, handlers, { since, info } = {}) {
    const name = String(channel);
    if (this.#subscriptions.has(name)) {
      return Promise.reject(new Error(`already subscribed to ${name}`));
    }
    const named = typeof handlers === "function" ? { message: handlers } : handlers;
    const host = {
      ask: (request, yes, no) => this.#ask(this.#link, request, yes, no),
      giveUp: (reason) => this.#end(this.#link, { code: 1006, reason }, true),
      later: (failures, action) => this.#later(this.#link, this.#backoff(failures), action),
      refused: (subscription, error) => {
        this.#subscriptions.delete(name);
        if (!named.error) {
          this.#report(error);
        }
      },
      run: (action) => this.#run(action),
    };
    const subscription = new Subscription(host, name, named ?? {}, { since, info });
    this.#subscriptions.set(name, subscription);
    if (this.#state === "connected") {
      subscription.join();
    }
    return subscription.answer;
  }

  /** Leaves a channel. */
  async unsubscribe(channel) {
    const name = String(channel);
    const subscription = this.#subscriptions.get(name);
    if (subscription === undefined) {
      return;
    }
    this.#subscriptions.delete(name);
    const asked = subscription.state !== AWAY;
    subscription.leave(new SethPusherError("unsubscribed", `unsubscribed from ${name}`));
    if (asked) {
      await this.request({ type: "unsubscribe", channel: name }).catch((error) => {
        if (error.code !== "disconnected") {
          throw error;
        }
      });
    }
  }

  /** Where a channel stands: pass it as `since` to go on from there. Null when it has no position. */
  position(channel) {
    return this.#subscriptions.get(String(channel))?.position ?? null;
  }

  /** Publishes in a channel. */
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

  /** Who is in a channel. */
  async presence(channel) {
    const { people, anonymous } = await this.request({ type: "presence", channel });
    return { people, anonymous };
  }

  /** Reads a channel back. */
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

  /** Sends any message, for instance one that a plugin handles; gives the whole `ack`. */
  request(message) {
    return new Promise((resolve, reject) => {
      if (this.#state !== "connected") {
        throw new SethPusherError("disconnected", "not connected");
      }
      this.#ask(this.#link, message, resolve, reject);
    });
  }

  // ------------------------------------------------------------------------------------------------- the connection

  #open() {
    clearTimeout(this.#retry);
    const link = { socket: null, timers: new Set(), pending: new Map(), hint: null, heard: true };
    const { token, getToken, timeout } = this.#options;
    this.#link = link;
    this.#state = "connecting";
    link.opening = this.#later(link, timeout, () => this.#closed(link, 1006, `not connected within ${timeout} ms`));
    new Promise((resolve) => resolve(getToken ? getToken() : token)).then(
      (current) => this.#dial(link, current),
      (error) => {
        this.#report(error);
        this.#closed(link, 1006, "no token");
      },
    );
    this.#emit("connecting", { attempt: this.#attempts });
  }

  #dial(link, token) {
    if (link !== this.#link) {
      return;
    }
    const { SockJS, WebSocket, subscriberId } = this.#options;
    let socket;
    try {
      socket = link.socket = SockJS ? new SockJS(this.#url) : new WebSocket(this.#url);
    } catch (error) {
      this.#end(link, { code: 1006, reason: error.message, error }, false);
      return;
    }
    socket.onopen = () => {
      if (subscriberId === undefined && token === undefined) {
        this.#connected(link);
      } else {
        const request = { type: "connect", subscriber_id: subscriberId, token };
        this.#ask(link, request, () => this.#connected(link), (error) => this.#notConnected(link, error));
      }
    };
    socket.onmessage = (event) => this.#heard(link, event.data);
    socket.onclose = (event) => this.#closed(link, event.code || 1006, event.reason ?? "");
    socket.onerror = nothing; // it says nothing that the close does not
  }

  #connected(link) {
    if (link !== this.#link) {
      return;
    }
    clearTimeout(link.opening);
    this.#state = "connected";
    // A connection that does not even last as long as one may have waited for it is no success.
    this.#later(link, this.#longestDelay(this.#attempts), () => (this.#attempts = 0));
    this.#beat(link);
    const ready = this.#ready;
    this.#ready = null;
    for (const subscription of [...this.#subscriptions.values()]) {
      subscription.join();
    }
    ready?.resolve();
    this.#emit("connected");
  }

  #notConnected(link, error) {
    if (link === this.#link) {
      this.#end(link, { code: 1000, reason: `not connected: ${error.message}`, error }, error.temporary);
    }
  }

  #closed(link, code, reason) {
    if (link === this.#link) {
      this.#end(link, { code, reason }, code < 3500 || (code >= 4000 && this.#isToComeBack(link, code)));
    }
  }

  #isToComeBack(link, code) {
    let comesBack = link.hint !== null;
    this.#run(() => {
      comesBack ||= this.#options.comesBack?.(code) === true;
    });
    return comesBack;
  }

  #end(link, { code, reason, error }, reconnect) {
    const lost = error ?? new SethPusherError("disconnected", `the connection is lost: ${code} ${reason}`);
    const ready = this.#ready;
    let delay = null;
    this.#link = null;
    this.#state = reconnect ? "connecting" : "disconnected";
    if (reconnect) {
      delay = link.hint ?? this.#backoff(this.#attempts);
      this.#attempts += 1;
      this.#retry = setTimeout(() => this.#open(), delay);
    } else {
      this.#attempts = 0;
      this.#ready = null;
      ready?.reject(lost);
    }
    this.#subscriptions.forEach((subscription) => subscription.lost());
    if (link) {
      link.timers.forEach(clearTimeout);
      release(link.socket);
      link.pending.forEach(({ no }) => no(new SethPusherError("disconnected", lost.message)));
    }
    this.#emit("disconnected", { code, reason, reconnect, delay, error });
  }

  #longestDelay(attempts) {
    return Math.min(this.#options.maxDelay, this.#options.minDelay * 2 ** attempts);
  }

  #backoff(attempts) {
    return Math.random() * this.#longestDelay(attempts);
  }

  /** Asks for a sign of life when nothing else has come for a while. */
  #beat(link) {
    const { pingInterval } = this.#options;
    if (!pingInterval) {
      return;
    }
    link.heard = false;
    this.#later(link, pingInterval, () => {
      if (link.heard) {
        this.#beat(link);
        return;
      }
      const silent = (error) => error.code === "timeout" && this.#closed(link, 1006, "no answer to a ping");
      this.#ask(link, { type: "ping" }, () => this.#beat(link), (error) => silent(error) || this.#beat(link));
    });
  }

  /** Calls back later, if the connection is still the same. */
  #later(link, milliseconds, action) {
    if (link !== this.#link) {
      return undefined;
    }
    const timer = setTimeout(() => {
      link.timers.delete(timer);
      action();
    }, milliseconds);
    link.timers.add(timer);
    return timer;
  }

  // -------------------------------------------------------------------------------------------------- the messages

  /** Sends a request. Answers are not promises here: what is heard next may be heard before those are settled. */
  #ask(link, request, yes, no) {
    const id = this.#lastId + 1;
    const { timeout } = this.#options;
    link.socket.send(JSON.stringify({ ...request, id }));
    this.#lastId = id;
    const timer = this.#later(link, timeout, () => {
      link.pending.delete(id);
      no(new SethPusherError("timeout", `no answer to ${request.type} within ${timeout} ms`));
    });
    link.pending.set(id, { yes, no, timer });
  }

  #heard(link, text) {
    link.heard = true;
    let said;
    try {
      said = JSON.parse(text);
    } catch (error) {
      this.#report(error);
      return;
    }
    const { type, channel } = said;
    const subscription = this.#subscriptions.get(channel);
    if (type === "ack" || type === "error") {
      this.#answered(link, said);
    } else if (type === "position" || type === "gap" || type === "dropped") {
      subscription?.miss(said);
    } else if (type === "reconnect") {
      link.hint = Math.min(Math.max(said.after * 1000, 0), LONGEST_TIMER) || 0;
    } else if (type === "expiring") {
      this.#refresh(link);
    } else if (type !== undefined || said.message === undefined) {
      this.#emit("other", said);
    } else if (channel !== undefined) {
      subscription?.take(said);
    } else if (said.target_id !== undefined) {
      this.#emit("message", said.message, said);
    } else {
      this.#emit("notice", said.message);
    }
  }

  #answered(link, { type, id, code, message, ...rest }) {
    const asked = link.pending.get(id);
    if (asked) {
      link.pending.delete(id);
      clearTimeout(asked.timer);
      link.timers.delete(asked.timer);
    }
    if (type === "ack") {
      asked?.yes({ ...rest, id, type });
    } else if (asked) {
      asked.no(new SethPusherError(code, message));
    } else if (id === undefined) {
      this.#report(new SethPusherError(code, message));
    }
  }

  async #refresh(link) {
    try {
      const token = await this.#options.getToken?.();
      if (token !== undefined && link === this.#link) {
        await this.request({ type: "refresh", token });
      }
    } catch (error) {
      this.#report(error);
    }
  }

  // ------------------------------------------------------------------------------------------------ the application

  #emit(event, ...details) {
    for (const handler of [...(this.#listeners.get(event) ?? [])]) {
      this.#run(() => handler(...details));
    }
  }

  /** Runs code of the application, whose faults are not the client's. */
  #run(action) {
    try {
      action()?.then?.(undefined, (error) => this.#report(error));
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error) {
    const handlers = [...(this.#listeners.get("error") ?? [])];
    if (handlers.length === 0) {
      console.error(error);
    }
    for (const handler of handlers) {
      try {
        handler(error)?.then?.(undefined, (worse) => console.error(worse));
      } catch (worse) {
        console.error(worse);
      }
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
  parts.promise.catch(nothing); // who is not interested in it hears of it by an event
  return parts;
}

/** Where to connect: the server's address, or that of its endpoint if that is not /connect. */
function endpoint(address, SockJS) {
  const url = new URL(address, globalThis.location?.href);
  const path = url.pathname.replace(/\/+$/, "") || "/connect";
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  const protocol = `${SockJS ? "http" : "ws"}${secure ? "s" : ""}:`;
  return `${protocol}//${url.host}${path}${SockJS ? "" : "/websocket"}${url.search}`;
}

/** Closes a socket and listens to it no more; what it still says in closing must not surprise anybody. */
function release(socket) {
  if (socket) {
    socket.onopen = socket.onmessage = null;
    socket.onclose = () => {
      socket.onclose = socket.onerror = null;
    };
    if (socket.readyState === 3) {
      socket.onclose();
    } else {
      socket.close();
    }
  }
}
