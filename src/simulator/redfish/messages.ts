import type { Personality } from '../personality.ts'
import type { Reply } from './exchange.ts'

/** The messages of the Base registry that a BMC of ours says of itself: HTTP status, text, severity. */
const MESSAGES = {
  GeneralError: [400, 'A general error has occurred. See ExtendedInfo for more information.', 'Critical'],
  MalformedJSON: [400, 'The request body submitted was malformed JSON and could not be parsed by the receiving service.', 'Critical'],
  ActionParameterMissing: [400, 'The action requires the parameter ResetType to be present in the request body.', 'Critical'],
  ActionParameterValueNotInList: [400, 'The value of the parameter ResetType is not in the list of acceptable values.', 'Warning'],
  NoOperation: [400, 'The request body contained no data to act upon.', 'Warning'],
  PropertyMissing: [400, 'A required property is missing from the request body.', 'Warning'],
  PropertyUnknown: [400, 'A property of the request body is not in the list of valid properties for the resource.', 'Warning'],
  PropertyValueNotInList: [400, 'The value of a property of the request body is not in the list of acceptable values.', 'Warning'],
  QueryNotSupported: [501, 'Querying is not supported by the implementation.', 'Warning'],
  ResourceAtUriUnauthorized: [401, 'Access to the resource was denied: the supplied credentials are not valid.', 'Critical'],
  NoValidSession: [401, 'There is no valid session established with the implementation.', 'Critical'],
  InsufficientPrivilege: [
    403,
    'There are insufficient privileges for the account or credentials associated with the current session.',
    'Critical',
  ],
  PasswordChangeRequired: [403, 'The password for this account must be changed before access is granted.', 'Critical'],
  ResourceMissingAtURI: [404, 'The resource at the URI was not found.', 'Critical'],
  OperationNotAllowed: [405, 'The HTTP method is not allowed on this resource.', 'Critical'],
  ActionParameterValueConflict: [
    409,
    'The parameter ResetType with the requested value does not meet the constraints of the implementation.',
    'Warning',
  ],
  PreconditionFailed: [412, 'The ETag supplied did not match the ETag required to change this resource.', 'Critical'],
  ServiceTemporarilyUnavailable: [503, 'The service is temporarily unavailable. Retry later.', 'Critical'],
} as const satisfies Record<string, readonly [number, string, string]>

/** The last part of a MessageId of the Base registry. */
export type MessageKey = keyof typeof MESSAGES

/** An error body in the shape of the Redfish specification. */
export function errorBody(messageId: string, message: string, severity = 'Critical'): string {
  return JSON.stringify({
    error: {
      code: messageId,
      message,
      '@Message.ExtendedInfo': [
        {
          '@odata.type': '#Message.v1_1_2.Message',
          MessageId: messageId,
          Message: message,
          MessageArgs: [],
          Severity: severity,
          MessageSeverity: severity,
          Resolution: 'None',
        },
      ],
    },
  })
}

/** An answer with a message of the Base registry, in the version that the personality speaks. `status` replaces the usual one. */
export function messageReply(personality: Personality, key: MessageKey, status?: number): Reply {
  const [usual, text, severity] = MESSAGES[key]
  return { status: status ?? usual, headers: {}, body: errorBody(`${personality.registry}.${key}`, text, severity) }
}

/** The answer to a log-in when the session table is full, in the words of the personality. */
export function exhaustedReply(personality: Personality): Reply {
  const { status, messageId, message } = personality.sessions.exhausted
  return { status, headers: {}, body: errorBody(messageId, message) }
}
