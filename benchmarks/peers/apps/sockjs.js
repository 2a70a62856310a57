/* usage: node sockjs.js PORT */
'use strict'

const sockjs = require('sockjs')
const { Hub, listen, serve } = require('./hub.js')

const hub = new Hub((clients, text) => {
  for (const client of clients) client.write(text)
})
const server = serve((channel, message) => hub.publish(channel, message))
const endpoint = sockjs.createServer({ prefix: '/connect', log: () => {} })

endpoint.on('connection', (client) => {
  client.on('close', () => hub.forget(client))
  client.on('data', (text) => {
    const answer = hub.said(client, text)
    if (answer) client.write(answer)
  })
})
endpoint.installHandlers(server)
listen(server)
