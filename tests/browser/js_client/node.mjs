// Runs the watching client in Node: a command per line on standard input, its answer on standard output, both JSON. It ends
// by itself when the input ends, if the client has left nothing behind that keeps it alive.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { watcher } from "./watch.mjs";

const require = createRequire(new URL("../package.json", import.meta.url));
const SockJS = require("sockjs-client");
const faye = require("faye-websocket"); // sockjs-client brings it along

function sockjs(transport) {
  return {
    SockJS: function (url) {
      return new SockJS(url, null, { transports: transport });
    },
  };
}

const commands = watcher({
  WebSocket: {}, // the global one
  faye: { WebSocket: faye.Client },
  "SockJS websocket": sockjs("websocket"),
  "SockJS xhr-streaming": sockjs("xhr-streaming"),
  "SockJS xhr-polling": sockjs("xhr-polling"),
});

for await (const line of createInterface({ input: process.stdin })) {
  const { number, command, about } = JSON.parse(line);
  Promise.resolve(about)
    .then(commands[command])
    .then(
      (value = null) => ({ number, value }),
      (error) => ({ number, error: error.message }),
    )
    .then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
}
