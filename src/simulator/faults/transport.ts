import { messageReply } from '../redfish/messages.ts'
import { defineFault } from './types.ts'

/** Faults of the way to the BMC: time, connections, throttling, redirects. */
export const transportFaults = {
  delay: defineFault({
    summary: 'Answers `ms` late; the work is done after the wait (`before`) or ahead of it (`after`).',
    defaults: { ms: 1000, when: 'before' as 'before' | 'after' },
    before: (_exchange, { ms, when }) => (when === 'before' ? { kind: 'wait', ms } : undefined),
    after: (_reply, { ms, when }) => (when === 'after' ? { kind: 'wait', ms } : undefined),
    ipmi: {
      flight: (flight, { ms, when }) => {
        if ((when === 'before') !== (flight.direction === 'in')) return false
        flight.datagrams = flight.datagrams.map(datagram => ({ ...datagram, late: datagram.late + ms }))
        return true
      },
    },
  }),

  hang: defineFault({
    summary: 'Takes the connection (`connection`) or the request and never answers; the request is done first with `after`.',
    defaults: { when: 'before' as 'connection' | 'before' | 'after' },
    connect: ({ when }) => (when === 'connection' ? 'silent' : undefined),
    before: (_exchange, { when }) => (when === 'before' ? { kind: 'never' } : undefined),
    after: (_reply, { when }) => (when === 'after' ? { kind: 'never' } : undefined),
    ipmi: {
      flight: (flight, { when }) => {
        if ((when !== 'after') !== (flight.direction === 'in')) return false
        flight.datagrams = []
        return true
      },
    },
  }),

  drop: defineFault({
    summary: 'Cuts the connection: at once (`connection`), before the request is done or after it.',
    defaults: { when: 'before' as 'connection' | 'before' | 'after' },
    connect: ({ when }) => (when === 'connection' ? 'reset' : undefined),
    before: (_exchange, { when }) => (when === 'before' ? { kind: 'drop' } : undefined),
    after: (_reply, { when }) => (when === 'after' ? { kind: 'drop' } : undefined),
  }),

  offline: defineFault({
    summary: 'The BMC restarts: open connections are cut, new ones reset, all sessions are lost; IPMI is silent.',
    defaults: {},
    start: bmc => {
      bmc.sessions.clear()
      bmc.ipmi?.sessions.clear()
      bmc.dropConnections()
      return undefined
    },
    connect: () => 'reset',
    ipmi: {
      flight: flight => {
        flight.datagrams = []
        return true
      },
    },
  }),

  reuseReset: defineFault({
    summary: 'Cuts the connection when it is used for a second request, as some HPE BMCs do.',
    defaults: {},
    before: ({ requestsOnConnection }) => (requestsOnConnection > 1 ? { kind: 'drop' } : undefined),
  }),

  unavailable: defineFault({
    summary: 'Answers `status` with a Retry-After as given (seconds, a date, nonsense; empty: none) and does nothing.',
    defaults: { status: 503, retryAfter: '1' },
    before: ({ bmc }, { status, retryAfter }) => {
      const reply = messageReply(bmc.personality, 'ServiceTemporarilyUnavailable', status)
      return { kind: 'reply', reply: retryAfter === '' ? reply : { ...reply, headers: { 'retry-after': retryAfter } } }
    },
  }),

  crowded: defineFault({
    summary: 'Answers 503 to a request that comes while `parallel` others are being worked on.',
    defaults: { parallel: 1 },
    before: ({ bmc }, { parallel }) =>
      bmc.inFlight > parallel
        ? { kind: 'reply', reply: { ...messageReply(bmc.personality, 'ServiceTemporarilyUnavailable'), headers: { 'retry-after': '1' } } }
        : undefined,
  }),

  redirect: defineFault({
    summary:
      'Redirects to another path of this BMC that works (`path`), to `location` on another host (`host`), or to itself for ever (`loop`).',
    defaults: { status: 307, to: 'path' as 'path' | 'host' | 'loop', location: 'https://elsewhere.invalid' },
    before: ({ path, wasMoved }, { status, to, location }) => {
      if (wasMoved && to === 'path') return undefined
      const target = { path: `/moved${path}`, host: `${location}${path}`, loop: path }[to]
      return { kind: 'reply', reply: { status, headers: { location: target }, body: null } }
    },
  }),

  answer: defineFault({
    summary: 'Answers with the status, content type and body given and does nothing.',
    defaults: {
      status: 500,
      contentType: 'application/json',
      body: '{"error":{"code":"Base.1.15.0.InternalError","message":"internal error"}}',
    },
    before: (_exchange, { status, contentType, body }) => ({
      kind: 'reply',
      reply: { status, headers: body === '' ? {} : { 'content-type': contentType }, body: body === '' ? null : body },
    }),
  }),
}
