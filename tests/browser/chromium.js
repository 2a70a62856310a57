"use strict";

// Drives a headless Chromium for the tests: a command per line on standard input, its answer on standard output, both
// JSON. The first line out is the browser's process id. When the input ends, so does the browser.
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const [executablePath, seconds] = process.argv.slice(2);
const milliseconds = Number(seconds) * 1000;
const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1", // nothing but the tests' own servers
];

let browser;
let page;
let complaints; // what a developer would find in the console

const commands = {
  // Opens a page in a context of its own. `replace` maps addresses to the files that are given instead.
  async open({ url, replace }) {
    await commands.close();
    complaints = [];
    page = await browser.newPage();
    page.setDefaultTimeout(milliseconds);
    page.on("pageerror", (error) => complaints.push(String(error)));
    const said = (message) => `${message.text()} ${message.location().url}`;
    page.on("console", (message) => message.type() === "error" && complaints.push(said(message)));
    for (const [address, path] of Object.entries(replace)) {
      const headers = { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" };
      await page.route(address, (route) => route.fulfill({ path, headers }));
    }
    await page.goto(url);
  },

  converse: ({ about }) => page.evaluate((about) => converse(SockJS, about), about),

  // Waits until an element shows a text.
  async see({ selector, text }) {
    const element = page.locator(selector).filter({ hasText: text }).first();
    await element.waitFor().catch(async () => {
      throw new Error(`${selector} does not show ${text}; the page is:\n${await page.innerText("body")}`);
    });
  },

  complaints: async () => complaints,

  async close() {
    await page?.close(); // with its context, since browser.newPage made that, too
    page = undefined;
  },
};

async function main() {
  // Playwright gives it a user-data-dir of its own, which goes when the browser does.
  browser = await chromium.launch({ executablePath, args, timeout: milliseconds });
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
  say(processInfo.find((process) => process.type === "browser").id);

  const lines = readline.createInterface({ input: process.stdin });
  lines.on("close", () => browser.close().then(() => process.exit(0))); // even while a command is under way
  for await (const line of lines) {
    const { number, command, ...rest } = JSON.parse(line);
    try {
      say({ number, value: (await commands[command](rest)) ?? null });
    } catch (error) {
      say({ number, error: error.message });
    }
  }
}

main();
