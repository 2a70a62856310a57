/* What an application on a bare library has to write itself: who is in which channel, and an address to publish at.
 * Same messages and same envelopes as this project's server, so that the bytes are comparable. */
'use strict'

const http = require('node:http')

function add(sets, key, value) {
  const set = sets.get(key)
  if (set) set.add(value)
  else sets.set(key, new Set([value]))
}

function remove(sets, key, value) {
  const set = sets.get(key)
  if (set?.delete(value) && set.size === 0) sets.delete(key)
}

class Hub {
  /** deliver(clients, text): sends one text to a Set of clients, as the library's documentation says. */
  constructor(deliver) {
    this.deliver = deliver
    this.channels = new Map()
    this.joined = new Map() // client -> its channels, so that closing does not look at all
  }

  publish(channel, message) {
    const clients = this.channels.get(channel)
    if (clients) this.deliver(clients, JSON.stringify({ message, sender_id: null, channel }))
  }

  join(channel, client) {
    add(this.channels, channel, client)
    add(this.joined, client, channel)
  }

  leave(channel, client) {
    remove(this.channels, channel, client)
    remove(this.joined, client, channel)
  }

  forget(client) {
    for (const channel of this.joined.get(client) ?? []) this.leave(channel, client)
  }

  /** A client's message; returns the answer's text, if there is one. */
  said(client, text) {
    const { type, channel, message, id } = JSON.parse(text)
    if (type === 'subscribe') this.join(channel, client)
    else if (type === 'unsubscribe') this.leave(channel, client)
    else if (type === 'publish') this.publish(channel, message)
    return id === undefined ? undefined : JSON.stringify({ channel, type: 'ack', id })
  }
}

/** POST /channels/NAME publishes its body, POST /batch {"publications": [{"channel", "message"}, ...]}. */
function serve(publish) {
  const server = http.createServer((request, response) => {
    const parts = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts))
      if (request.url === '/batch') for (const one of body.publications) publish(one.channel, one.message)
      else publish(request.url.slice('/channels/'.length), body)
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 14 })
      response.end('{"status":200}')
    })
  })
  server.keepAliveTimeout = 600_000
  return server
}

function listen(server) {
  server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 })
}

module.exports = { Hub, listen, serve }
