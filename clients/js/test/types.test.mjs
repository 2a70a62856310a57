import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as client from "../sethpusher.js";

const types = readFileSync(new URL("../sethpusher.d.ts", import.meta.url), "utf8");

function declared(name) {
  const [, body] = types.match(new RegExp(`^export class ${name}\\b[^{]*\\{\n(.*?)^\\}`, "ms"));
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:<]/gm)].map(([, member]) => member);
}

test("what there is, is declared, and the other way round", () => {
  const classes = [...types.matchAll(/^export class (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(classes.sort(), Object.keys(client).sort());
  assert.deepEqual(declared("SethPusher").sort(), Object.getOwnPropertyNames(client.SethPusher.prototype).sort());
  const error = new client.SethPusherError("timeout", "");
  assert(declared("SethPusherError").every((member) => member in error));
});
