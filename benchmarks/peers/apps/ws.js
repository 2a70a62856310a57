/* usage: node ws.js PORT */
'use strict'

const { WebSocketServer, WebSocket } = require('ws')
const { Hub, listen, serve } = require('./hub.js')

// The loop of ws's own example of a broadcast.
const hub = new Hub((clients, text) => {
  const data = Buffer.from(text)
  for (const client of clients) if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false })
})
const server = serve((channel, message) => hub.publish(channel, message))

new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (client) => {
  client.on('error', console.error)
  client.on('close', () => hub.forget(client))
  client.on('message', (text) => {
    const answer = hub.said(client, text)
    if (answer) client.send(answer)
  })
})
listen(server)
