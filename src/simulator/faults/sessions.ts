import { exhaustedReply, messageReply } from '../redfish/messages.ts'
import { defineFault } from './types.ts'

/** Faults of log-in, log-out and sessions. */
export const sessionFaults = {
  sessionTableFull: defineFault({
    summary: 'No more sessions: log-ins get the answer of the personality (503).',
    defaults: {},
    login: (plan, _parameters, { bmc }) => {
      plan.refusal = exhaustedReply(bmc.personality)
      return true
    },
  }),

  sessionLost: defineFault({
    summary:
      'The session of the request is lost in mid-session: 401, or 403 as the personality says; `status` replaces it, `forget` ends it for good.',
    defaults: { status: 0, forget: true as boolean },
    defaultCount: 1,
    authorize: ({ bmc, caller }, { status, forget }) => {
      if (caller.kind !== 'session') return undefined
      if (forget) bmc.sessions.close(caller.id)
      return messageReply(bmc.personality, 'NoValidSession', status === 0 ? bmc.personality.sessions.lostStatus : status)
    },
  }),

  wrongCredentials: defineFault({
    summary: 'Log-ins and Basic credentials are refused, right ones too; open sessions go on.',
    defaults: { status: 401 },
    login: (plan, { status }, { bmc }) => {
      plan.refusal = messageReply(bmc.personality, 'ResourceAtUriUnauthorized', status)
      return true
    },
    authorize: ({ bmc, caller }, { status }) =>
      caller.kind === 'basic' ? messageReply(bmc.personality, 'ResourceAtUriUnauthorized', status) : undefined,
  }),

  passwordChangeRequired: defineFault({
    summary: 'Everything but the log-in is 403 PasswordChangeRequired.',
    defaults: {},
    authorize: ({ bmc }) => messageReply(bmc.personality, 'PasswordChangeRequired'),
  }),

  forbidden: defineFault({
    summary: 'The account may not do this: 403 InsufficientPrivilege.',
    defaults: {},
    authorize: ({ bmc }) => messageReply(bmc.personality, 'InsufficientPrivilege'),
  }),

  loginShape: defineFault({
    summary: 'The answer to a log-in lacks its Location, has an absolute one, or lacks the token.',
    defaults: { location: 'usual' as 'usual' | 'absent' | 'absolute', token: true as boolean },
    login: (plan, { location, token }) => {
      plan.location = location
      plan.sendToken = token
      return true
    },
  }),

  logoutIgnored: defineFault({
    summary: 'A log-out is answered well, and the session stays open.',
    defaults: {},
    logout: () => true,
  }),
}
