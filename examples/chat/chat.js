// A small chat over the client of Seth-Pusher. README.md says how to run it.
import { SethPusher } from "../../clients/js/sethpusher.js";

const SHOWN = 50; // messages that one who comes in reads back
const query = new URLSearchParams(location.search); // index.html?server=localhost:8080&name=ada&room=lobby
const server = `${location.protocol === "https:" ? "https" : "http"}://${query.get("server") ?? "localhost:8080"}`;
const rooms = new Set(["lobby", "music", "weather"]);
const element = (id) => document.getElementById(id);

let client;
let me; // our name
let room = null; // the one we are in: its name, channel, where we came in, whether its past has been read
const outbox = new Set(); // what was said and is not answered yet

function line(kind, author, text) {
  const item = document.createElement("li");
  item.className = kind;
  if (author !== null) {
    item.append(Object.assign(document.createElement("b"), { textContent: `${author}:` }), " ");
  }
  item.append(text);
  return item;
}

// ------------------------------------------------------------------------------------------------------------ rooms

function enterRoom(name) {
  if (room !== null) {
    client.unsubscribe(room.channel).catch(console.error);
  }
  const here = (room = { name, channel: `chat.${name}`, start: null, past: "unread" });
  rooms.add(name);
  element("room").textContent = name;
  element("messages").replaceChildren();
  element("members").replaceChildren();
  showRooms();
  showOutbox();
  client.subscribe(here.channel, {
    message: (_, publication) => showMessages([publication], "append"),
    gap: () => show(line("gap", null, "Some messages are missing here."), "append"),
    error: (error) => show(line("gap", null, `This room is closed: ${error.message}`), "append"),
    subscribed({ position }) {
      here.start ??= position;
      readPast(here);
      showMembers();
    },
  });
}

/** Reads what was said before we came. What is said since comes by itself. */
async function readPast(here) {
  if (here.past !== "unread") {
    return;
  }
  here.past = "being read";
  try {
    const { publications } = await client.history(here.channel, { limit: SHOWN, reverse: true });
    here.past = "read";
    if (here === room) {
      const { epoch, offset } = here.start;
      showMessages(publications.filter((one) => one.epoch === epoch && one.offset <= offset), "prepend");
    }
  } catch (error) {
    here.past = "unread"; // when it is connected again it is subscribed again, and here we are
    report(error);
  }
}

function showRooms() {
  const items = [...rooms].sort().map((name) => {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { textContent: name });
    button.addEventListener("click", () => name === room.name || enterRoom(name));
    button.toggleAttribute("aria-current", name === room.name);
    item.append(button);
    return item;
  });
  element("rooms").replaceChildren(...items);
}

/** Shows who is here; while one answer is awaited, one more question is enough. */
async function showMembers() {
  const here = room;
  if (here.asking) {
    here.askAgain = true;
    return;
  }
  here.asking = true;
  try {
    do {
      here.askAgain = false;
      const { people } = await client.presence(here.channel);
      if (here === room) {
        const names = people.map(({ subscriber_id }) => (subscriber_id === me ? `${me} (you)` : subscriber_id));
        element("members").replaceChildren(...names.map((name) => line("member", null, name)));
      }
    } while (here.askAgain);
  } catch (error) {
    report(error);
  } finally {
    here.asking = false;
  }
}

// --------------------------------------------------------------------------------------------------------- messages

/** Shows items at one end, and the end of all if that was in sight. */
function show(items, where) {
  const messages = element("messages");
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 50;
  messages[where](...[items].flat());
  if (atEnd) {
    messages.scrollTop = messages.scrollHeight;
  }
}

/** Shows publications, of which those that are read back come newest first. */
function showMessages(publications, where) {
  const items = publications.map(({ message, sender_id }) => line("message", sender_id, String(message?.text ?? "")));
  show(where === "prepend" ? items.reverse() : items, where);
}

function say(text) {
  const key = `${me} ${Date.now()} ${Math.random()}`; // by which the server knows what is sent again
  const saying = { channel: room.channel, text, key };
  outbox.add(saying);
  showOutbox();
  send(saying);
}

async function send(saying) {
  try {
    await client.publish(saying.channel, { text: saying.text }, { idempotencyKey: saying.key });
  } catch (error) {
    if (error.code === "disconnected") {
      return; // it is sent again with the next connection
    }
    if (error.temporary) {
      setTimeout(send, 1000, saying);
      return;
    }
    show(line("gap", null, `Not sent: ${saying.text} (${error.message})`), "append");
  }
  outbox.delete(saying);
  showOutbox();
}

function showOutbox() {
  const here = [...outbox].filter(({ channel }) => channel === room.channel);
  element("outbox").replaceChildren(...here.map(({ text }) => line("pending", me, text)));
}

// ------------------------------------------------------------------------------------------------------- connection

/** What passes by itself when we are connected again is no news. */
function report(error) {
  if (error.code !== "disconnected") {
    console.error(error);
  }
}

function showTrouble(text) {
  element("banner").hidden = text === "";
  element("trouble").textContent = text;
}

function enter(name) {
  me = name;
  client = new SethPusher(server, { subscriberId: me });
  client.on("disconnected", ({ code, reason, reconnect, delay }) => {
    const next = reconnect ? `Trying again in ${Math.ceil(delay / 1000)} s.` : "";
    showTrouble(`Not connected: ${reason || code}. ${next}`);
  });
  client.on("connected", () => {
    showTrouble("");
    outbox.forEach(send);
  });
  client.on("notice", () => showMembers()); // somebody has come or gone
  element("enter").hidden = true;
  element("chat").hidden = false;
  enterRoom(query.get("room") ?? "lobby");
  element("text").focus();
  client.connect().catch(report);
}

function onSubmit(form, input, action) {
  element(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const text = element(input).value.trim();
    if (text !== "") {
      action(text);
      element(input).value = "";
    }
  });
}

onSubmit("enter", "name", enter);
onSubmit("open", "new-room", (name) => name === room.name || enterRoom(name));
onSubmit("say", "text", say);
element("retry").addEventListener("click", () => client.connect().catch(report));
if (query.get("name")) {
  enter(query.get("name"));
}
