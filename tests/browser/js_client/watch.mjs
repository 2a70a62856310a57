// A client that notes what it is told, the same in Node and in a page. The tests in test_js_client.py give it commands.
import { SethPusher } from "../../../clients/js/sethpusher.js";

const MESSAGE = "message";

/** The commands. `sockets` has, for each transport by name, the options that make the client use it. */
export function watcher(sockets) {
  let client;
  let log = [];
  let waiting = []; // [condition, resolve]

  function note(...entry) {
    log.push(entry);
    waiting = waiting.filter(([condition, resolve]) => !condition() || resolve());
  }

  /** Settled once something holds of the log. */
  function until(condition, what, seconds) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}; last: ${brief()}`)), seconds * 1000);
      const holds = () => {
        clearTimeout(timer);
        resolve();
      };
      condition() ? holds() : waiting.push([condition, holds]);
    });
  }

  const brief = () => JSON.stringify(log.slice(-5));
  const count = (event, channel) => log.filter((entry) => entry[0] === event && (!channel || entry[1] === channel)).length;

  return {
    /** Connects and subscribes. */
    async start({ url, transport, channels, options }) {
      log = [];
      client = new SethPusher(url, { ...sockets[transport], ...options });
      client.on("connected", () => note("connected"));
      client.on("disconnected", ({ error, ...details }) => note("disconnected", details));
      client.on("error", (error) => note("error", String(error)));
      client.on("message", (message) => note("personal", message));
      await client.connect();
      await Promise.all(
        channels.map((channel) =>
          client.subscribe(channel, {
            message: (message, { epoch, offset }) => note(MESSAGE, channel, message, epoch, offset),
            subscribed: (answer) => note("subscribed", channel, answer),
            gap: (gap) => note("gap", channel, gap),
          }),
        ),
      );
    },

    /** Waits until a message of a channel is this number or a later one. */
    seen: ({ channel, number, seconds }) =>
      until(
        () => log.findLast((entry) => entry[0] === MESSAGE && entry[1] === channel)?.[2] >= number,
        `${channel} ${number}`,
        seconds,
      ),

    /** Waits until there are this many entries of a kind, perhaps of one channel. */
    counted: ({ event, channel, times, seconds }) =>
      until(() => count(event, channel) >= times, `${times} x ${event} ${channel ?? ""}`, seconds),

    /** What has been noted. */
    log: () => log,

    /** Calls a method of the client. */
    call: ({ method, args }) => client[method](...args),

    /** Ends the client. */
    stop: () => client.close(),
  };
}
