import { exhaustedReply, messageReply } from '../redfish/messages.ts'
import { defineFault } from './types.ts'

/** Faults of log-in, log-out and sessions. */
export const sessionFaults = {
  sessionTableFull: defineFault({
    summary: 'No more sessions: log-ins get the answer of the personality (503), Open Session the status `ipmiStatus`.',
    defaults: { ipmiStatus: 0x01 },
    login: (plan, _parameters, { bmc }) => {
      plan.refusal = exhaustedReply(bmc.personality)
      return true
    },
    ipmi: {
      setup: (plan, { ipmiStatus }) => {
        if (plan.packet !== 'open') return false
        plan.status = ipmiStatus
        return true
      },
    },
  }),

  sessionLost: defineFault({
    summary:
      'The session of the request is lost in mid-session: 401, or 403 as the personality says; `status` replaces it, `forget` ends it for good. IPMI: silence, the command is not done.',
    defaults: { status: 0, forget: true as boolean },
    defaultCount: 1,
    authorize: ({ bmc, caller }, { status, forget }) => {
      if (caller.kind !== 'session') return undefined
      if (forget) bmc.sessions.close(caller.id)
      return messageReply(bmc.personality, 'NoValidSession', status === 0 ? bmc.personality.sessions.lostStatus : status)
    },
    ipmi: {
      command: (plan, { forget }) => {
        if (plan.session === undefined) return false
        plan.execute = false
        plan.answered = false
        if (forget) plan.loses = 'own'
        return true
      },
    },
  }),

  wrongCredentials: defineFault({
    summary:
      'Log-ins and Basic credentials are refused, right ones too; open sessions go on. IPMI: the BMC computes with another password.',
    defaults: { status: 401 },
    login: (plan, { status }, { bmc }) => {
      plan.refusal = messageReply(bmc.personality, 'ResourceAtUriUnauthorized', status)
      return true
    },
    authorize: ({ bmc, caller }, { status }) =>
      caller.kind === 'basic' ? messageReply(bmc.personality, 'ResourceAtUriUnauthorized', status) : undefined,
    ipmi: {
      setup: plan => {
        if (plan.packet !== 'rakp1') return false
        plan.wrongPassword = true
        return true
      },
    },
  }),

  passwordChangeRequired: defineFault({
    summary: 'Everything but the log-in is 403 PasswordChangeRequired.',
    defaults: {},
    authorize: ({ bmc }) => messageReply(bmc.personality, 'PasswordChangeRequired'),
  }),

  forbidden: defineFault({
    summary: 'The account may not do this: 403 InsufficientPrivilege, IPMI D4h (Close Session goes on).',
    defaults: {},
    authorize: ({ bmc }) => messageReply(bmc.personality, 'InsufficientPrivilege'),
    ipmi: {
      command: plan => {
        if (plan.session === undefined || plan.packet === 'closeSession') return false
        plan.execute = false
        plan.completion = 0xd4
        return true
      },
    },
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
