import type { Draft } from '../ipmi/draft.ts'
import { defineFault } from './types.ts'

/** The last sequence number before it begins again at 1. */
const LAST_SEQUENCE = 0xffff_ffff

/** Sessions whose numbers were brought to the end: once each. */
const wrapped = new WeakSet<object>()

/** Faults of what an IPMI BMC answers: its protection, its numbers, its lengths. All are made before the code, unless they are about the code. */
export const ipmiAnswerFaults = {
  wrongCode: defineFault({
    summary: 'The code of the answer is wrong: AuthCode in a session, key exchange code in RAKP2, integrity check value in RAKP4.',
    defaults: {},
    ipmi: {
      draft: draft => {
        if (!hasCode(draft)) return false
        draft.code = 'wrong'
        return true
      },
    },
  }),

  truncatedCode: defineFault({
    summary: 'Only the first `bytes` of that code are there.',
    defaults: { bytes: 8 },
    ipmi: {
      draft: (draft, { bytes }) => {
        if (!hasCode(draft)) return false
        draft.codeBytes = bytes
        return true
      },
    },
  }),

  sequence: defineFault({
    summary:
      'The session sequence number of answers: `zero`, the `same` again, an `old` one or a `jump` (`by` so many), or `value`; after `wrap` they run on from FFFFFFFEh.',
    defaults: { how: 'zero' as 'zero' | 'same' | 'old' | 'jump' | 'value' | 'wrap', by: 1, value: 0 },
    ipmi: {
      draft: (draft, { how, by, value }) => {
        const { session } = draft
        if (session === undefined) return false
        switch (how) {
          case 'zero':
            draft.sequence = 0
            return true
          case 'value':
            draft.sequence = value
            return true
          case 'same':
          case 'old':
            draft.sequence = backwards(draft.sequence, how === 'same' ? 1 : by)
            return true
          case 'jump':
            draft.sequence = forwards(draft.sequence, by)
            session.nextSequence = forwards(draft.sequence, 1)
            return true
          case 'wrap':
            if (wrapped.has(session)) return false
            wrapped.add(session)
            draft.sequence = LAST_SEQUENCE - 1
            session.nextSequence = LAST_SEQUENCE
            return true
        }
      },
    },
  }),

  unprotected: defineFault({
    summary: 'Answers in a session without authentication or without encryption: flags 00h, 40h or 80h.',
    defaults: { authenticated: false as boolean, encrypted: false as boolean },
    ipmi: {
      draft: (draft, { authenticated, encrypted }) => {
        if (draft.session === undefined) return false
        draft.authenticated = authenticated
        draft.encrypted = encrypted
        return true
      },
    },
  }),

  v15Answer: defineFault({
    summary: 'Answers to commands of a session come in the wrapper of IPMI 1.5, outside of any session.',
    defaults: {},
    ipmi: {
      draft: draft => {
        if (draft.session === undefined) return false
        draft.wrapper = 'v15'
        return true
      },
    },
  }),

  lengthLie: defineFault({
    summary: 'The payload length field says `by` bytes more (or less) than there are, under a good code.',
    defaults: { by: 1 },
    ipmi: {
      draft: (draft, { by }) => {
        if (draft.body.kind === 'bytes' || (draft.wrapper === 'v15' && draft.body.kind === 'message')) return false
        draft.lengthBy = by
        return true
      },
    },
  }),

  padding: defineFault({
    summary: 'The padding of the ciphertext is too `long` (a pad length of 16 and more) or has `wrong` bytes.',
    defaults: { how: 'long' as 'long' | 'wrong' },
    ipmi: {
      draft: (draft, { how }) => {
        if (draft.session === undefined || !draft.encrypted) return false
        draft.padding = how
        return true
      },
    },
  }),

  checksums: defineFault({
    summary: 'The check sums inside of an answer are wrong, under a good code (quirk skip-checksum).',
    defaults: {},
    ipmi: {
      draft: draft => {
        if (draft.body.kind !== 'message') return false
        draft.checksums = false
        return true
      },
    },
  }),

  otherRequest: defineFault({
    summary: 'The answer is to another request: its rqSeq is `by` off, its command or its network function are others.',
    defaults: { by: -1, command: -1, netFn: -1 },
    ipmi: {
      draft: ({ body }, { by, command, netFn }) => {
        if (body.kind !== 'message') return false
        body.message.sequence = (body.message.sequence + by) & 0x3f
        if (command >= 0) body.message.command = command
        if (netFn >= 0) body.message.netFn = netFn
        return true
      },
    },
  }),

  data: defineFault({
    summary: 'The data behind the completion code of an answer is `hex`; or cut to `bytes`, or filled up to it with zeros.',
    defaults: { hex: '', bytes: -1 },
    ipmi: {
      draft: ({ body }, { hex, bytes }) => {
        if (body.kind !== 'message') return false
        const { message } = body
        if (bytes < 0) message.data = Buffer.from(hex, 'hex')
        else message.data = Buffer.concat([message.data], bytes)
        return true
      },
    },
  }),
}

function hasCode(draft: Draft): boolean {
  return draft.body.kind === 'setup' ? draft.body.code !== undefined : draft.session !== undefined && draft.authenticated
}

function forwards(sequence: number, by: number): number {
  return ((sequence - 1 + by) % LAST_SEQUENCE) + 1
}

/** A number that was used before; 1 has none, and stays. */
function backwards(sequence: number, by: number): number {
  return Math.max(1, sequence - by)
}
