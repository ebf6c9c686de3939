// The embedded MQTT broker where mosquitto is not installed: aedes with its queues on disk.
// It acknowledges a message a moment before it has written it: a kill in between loses that one message, which has no
// receipt from the ingest and is sent again by its logger.
// Usage: node broker.mjs PORT FOLDER. Listens on this machine only. MQTT 3.1.1; shared subscriptions do not work.
import { createServer } from 'node:net'
import { mkdirSync } from 'node:fs'
import { Aedes } from 'aedes'
import aedesPersistence from 'aedes-persistence-level'
import { ClassicLevel } from 'classic-level'

const [port, folder] = process.argv.slice(2)
if (!port || !folder) {
  console.error('usage: node broker.mjs PORT FOLDER')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })
const level = new ClassicLevel(folder, { valueEncoding: 'binary' })
await level.open()
const broker = await Aedes.createBroker({ persistence: aedesPersistence(level), concurrency: 1000 })
const server = createServer(broker.handle)
server.on('error', (error) => {
  console.error(String(error))
  process.exit(1)
})
server.listen(Number(port), '127.0.0.1', () => console.log(`aedes listens on 127.0.0.1:${port}`))

function stop () {
  server.close()
  broker.close(() => level.close().finally(() => process.exit(0)))
  setTimeout(() => process.exit(0), 2000).unref()
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
