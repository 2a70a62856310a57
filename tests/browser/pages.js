"use strict";

// Drives a headless Chromium with any number of pages: a command per line on standard input, its answer on standard
// output, both JSON. The first line out is the browser's process id. When the input ends, so does the browser.
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
const pages = new Map(); // by name; each in a context of its own
const complaints = new Map(); // what a developer would find in the console

const commands = {
  async open({ page: name, url }) {
    const page = await browser.newPage();
    pages.set(name, page);
    complaints.set(name, []);
    page.setDefaultTimeout(milliseconds);
    page.on("pageerror", (error) => complaints.get(name).push(String(error)));
    const said = (message) => `${message.text()} ${message.location().url}`;
    page.on("console", (message) => message.type() === "error" && complaints.get(name).push(said(message)));
    await page.goto(url);
  },

  // Calls one of the functions that the page keeps in `commands`.
  async call({ page, name, about }) {
    await pages.get(page).waitForFunction(() => globalThis.commands);
    return pages.get(page).evaluate(([name, about]) => commands[name](about), [name, about]);
  },

  fill: ({ page, selector, text }) => pages.get(page).fill(selector, text),
  press: ({ page, selector, key }) => pages.get(page).press(selector, key),
  click: ({ page, selector }) => pages.get(page).click(selector),
  clickEvenHidden: ({ page, selector }) => pages.get(page).locator(selector).evaluate((element) => element.click()),

  // Waits until an element shows a text; with `gone`, until none does.
  async see({ page, selector, text, gone }) {
    const found = pages.get(page).locator(selector).filter({ hasText: text, visible: true });
    await found.first().waitFor({ state: gone ? "detached" : "visible" }).catch(async () => {
      const shown = await pages.get(page).innerText("body");
      throw new Error(`${selector} ${gone ? "still shows" : "does not show"} ${text}; the page is:\n${shown}`);
    });
  },

  texts: ({ page, selector }) => pages.get(page).locator(selector).allInnerTexts(),

  complaints: async ({ page }) => complaints.get(page),

  async close({ page }) {
    await pages.get(page)?.close(); // with its context, since browser.newPage made that, too
    pages.delete(page);
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
    const { number, command, about } = JSON.parse(line);
    try {
      say({ number, value: (await commands[command](about)) ?? null });
    } catch (error) {
      say({ number, error: error.message });
    }
  }
}

main();
