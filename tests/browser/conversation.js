"use strict";

// One conversation over sockjs-client, the same in Node and in a page. Sends `texts`; once as many have come back, and
// `heartbeats` heartbeats with them, says `goodbye`, to which the server answers by closing. Resolves then, or after
// `seconds`, with all that was seen.
function converse(SockJS, { url, transport, texts, heartbeats, goodbye, seconds }) {
  return new Promise((resolve) => {
    const seen = { transport: null, texts: [], heartbeats: 0, code: null, reason: null };
    const socket = new SockJS(url, null, { transports: transport });
    const timer = setTimeout(() => socket.close(4999, `not over after ${seconds} s`), seconds * 1000);
    let leaving = false;

    function step() {
      if (!leaving && seen.texts.length >= texts.length && seen.heartbeats >= heartbeats) {
        leaving = true;
        if (goodbye !== null) {
          socket.send(goodbye);
        }
      }
    }
    socket.onopen = () => {
      seen.transport = socket.transport;
      texts.forEach((text) => socket.send(text));
      step();
    };
    socket.onmessage = (event) => {
      seen.texts.push(event.data);
      step();
    };
    socket.onheartbeat = () => {
      seen.heartbeats += 1;
      step();
    };
    socket.onclose = (event) => {
      clearTimeout(timer);
      seen.code = event.code;
      seen.reason = event.reason;
      resolve(seen);
    };
  });
}

if (typeof module !== "undefined") {
  module.exports = converse;
}
