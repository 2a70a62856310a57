"use strict";

// One conversation from Node: what it is about as JSON on standard input, what was seen on standard output.
const { readFileSync } = require("node:fs");
const SockJS = require("sockjs-client");
const converse = require("./conversation.js");

converse(SockJS, JSON.parse(readFileSync(0, "utf8"))).then((seen) => {
  process.stdout.write(JSON.stringify(seen), () => process.exit(0));
});
