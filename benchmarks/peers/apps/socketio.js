/* usage: node socketio.js PORT [REDIS-URL] */
'use strict'

const { Server } = require('socket.io')
const { listen, serve } = require('./hub.js')

const server = serve((channel, message) => io.to(channel).emit('message', { message, sender_id: null, channel }))
// The load generator answers no pings, so there are none.
const io = new Server(server, { transports: ['websocket'], serveClient: false, pingInterval: 3_600_000 })

// Of its page on memory: the first request of each connection is not kept.
io.engine.on('connection', (raw) => { raw.request = null })
io.on('connection', (client) => {
  client.on('subscribe', (channel, answer) => { client.join(channel); answer?.('in') })
  client.on('unsubscribe', (channel, answer) => { client.leave(channel); answer?.('out') })
  client.on('publish', (channel, message) => io.to(channel).emit('message', { message, sender_id: null, channel }))
})

async function main() {
  const url = process.argv[3]
  if (url) {
    const { createAdapter } = require('@socket.io/redis-adapter')
    const { createClient } = require('redis')
    const publisher = createClient({ url })
    const subscriber = publisher.duplicate()
    await Promise.all([publisher.connect(), subscriber.connect()])
    io.adapter(createAdapter(publisher, subscriber))
  }
  listen(server)
}
main()
