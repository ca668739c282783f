// One HyperDHT process of the lab, asked and answering in lines.
//
//   node peer.mjs seed ADDRESS NODES [HOST:PORT]    serving nodes and a blind relay on a public host; HOST:PORT is a bootstrap node that already runs.
//                                                   Prints: READY KEY, the relay's.
//   node peer.mjs site HOST:PORT,... [KEY,...]      an ordinary node with an echo server; the bootstrap nodes, and the relays a dial may use.
//                                                   Prints: READY KEY, its own. Then, for each line of input:
//     dial KEY FIRST_MS DIRECT_MS BYTES             DIALLED {"firstByteMs", "host", "directMs"} or DIALLED {"error"}
//     echo LIMIT_MS                                 ECHOED {"ms"} or ECHOED {"error"}, over the stream of the last dial
//
// Every time is in milliseconds by this process's monotonic clock.

import DHT from 'hyperdht'
import relay from 'blind-relay'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const PORT = 49737
const [mode, ...words] = process.argv.slice(2)

async function runSeed(address, nodes, bootstrap) {
  const first = DHT.bootstrapper(PORT, address, bootstrap ? { bootstrap: [bootstrap] } : {})
  await first.fullyBootstrapped()
  let last = first
  for (let i = 1; i < Number(nodes); i++) {
    last = new DHT({ ephemeral: false, firewalled: false, host: address, port: PORT + 10 * i, bootstrap: [bootstrap ?? `${address}:${PORT}`] })
    await last.fullyBootstrapped()
  }

  const relays = new relay.Server({ createStream: (options) => last.createRawStream({ ...options, framed: true }) })
  const server = last.createServer((stream) => {
    stream.on('error', () => {}) // a client that went away
    relays.accept(stream, { id: stream.remotePublicKey }).on('error', () => {})
  })
  await server.listen(DHT.keyPair())
  console.log(`READY ${server.publicKey.toString('hex')}`)
}

async function runSite(bootstrap, relays) {
  const seeds = bootstrap.split(',')
  const node = new DHT({ bootstrap: seeds })
  await node.fullyBootstrapped()
  const server = node.createServer((stream) => {
    stream.on('error', () => {}) // the dialler ended
    stream.pipe(stream)
  })
  await server.listen(node.defaultKeyPair)
  console.log(`READY ${server.publicKey.toString('hex')}`)

  const seedHosts = new Set(seeds.map((seed) => seed.split(':')[0]))
  const relayThrough = relays ? relays.split(',').map((key) => Buffer.from(key, 'hex')) : null
  let link = null
  for await (const line of createInterface({ input: process.stdin })) {
    const [verb, ...rest] = line.split(' ')
    if (verb === 'dial') {
      const [key, firstMs, directMs, bytes] = rest
      link = new Link(node.connect(Buffer.from(key, 'hex'), { relayThrough }))
      report('DIALLED', () => link.measure(seedHosts, Number(firstMs), Number(directMs), Number(bytes)))
    } else if (verb === 'echo') {
      report('ECHOED', async () => ({ ms: await link.echo(1, Number(rest[0])) }))
    }
  }
}

async function report(word, work) {
  try {
    console.log(`${word} ${JSON.stringify(await work())}`)
  } catch (error) {
    console.log(`${word} ${JSON.stringify({ error: error.code ?? error.message })}`)
  }
}

// A dialled stream to an echo server.
class Link {
  constructor(stream) {
    this.begun = performance.now()
    this.stream = stream
    this.echoed = 0
    this.failure = new Promise((_, reject) => {
      stream.on('error', reject)
      stream.on('close', () => reject(new Error('closed')))
    })
    this.failure.catch(() => {}) // whoever waits is told
    stream.on('data', (data) => {
      this.echoed += data.length
      this.onecho?.()
    })
  }

  // Dial to the first byte of the answer; then a direct path, if one comes; then some bytes for the network's own counters.
  async measure(seedHosts, firstMs, directMs, bytes) {
    const firstByteMs = await this.echo(1, firstMs, this.begun)
    const isRelayed = () => seedHosts.has(this.stream.rawStream.remoteHost)
    while (isRelayed() && performance.now() - this.begun < directMs) await sleep(10)
    const direct = isRelayed() ? null : performance.now() - this.begun
    await this.echo(bytes, firstMs)
    return { firstByteMs, host: this.stream.rawStream.remoteHost, directMs: direct }
  }

  // Sends so many bytes and waits until they came back; how long that took since a moment.
  async echo(bytes, limitMs, since = performance.now()) {
    const goal = this.echoed + bytes
    const arrived = new Promise((resolve) => {
      this.onecho = () => this.echoed >= goal && resolve(performance.now() - since)
    })
    this.stream.write(Buffer.alloc(bytes))
    const limit = sleep(limitMs, null, { ref: false }).then(() => Promise.reject(new Error(`nothing within ${limitMs} ms`)))
    limit.catch(() => {})
    return Promise.race([arrived, this.failure, limit])
  }
}

if (mode === 'seed') await runSeed(...words)
else if (mode === 'site') await runSite(...words)
else throw new Error(`no mode ${mode}: seed or site`)
