/** What a receipt states (the payload of its JWS). Times are RFC 3339. */
export interface ReceiptStatement {
  iss: string
  jti: string
  cluster: string
  node: string
  state: 'off' | 'ended-boot' | 'gone'
  assurance: string
  mechanism: string
  binding: 'proven' | 'declared'
  hardware: Record<string, unknown>[]
  job: string
  attempt: number
  hold: string
  holders: { holder: string; attempt: number }[]
  lateHand: 'closed' | 'bounded'
  observations: Record<string, unknown>[]
  commands: Record<string, unknown>[]
  rules: Record<string, number>
  warnings: string[]
  storeEpoch: string
  storeDurable: boolean
  requestedAt: string
  confirmedAt: string
  issuedAt: string
}

type Check = (value: unknown) => boolean

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/

/** True for an RFC 3339 time with its zone. */
export function isTime(value: unknown): value is string {
  return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value))
}

/** True for a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** True for a text that is not empty. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

const isAttempt: Check = value => Number.isInteger(value) && (value as number) >= 1
const oneOf =
  (...words: string[]): Check =>
  value =>
    typeof value === 'string' && words.includes(value)
const listOf =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.every(check)

/** Which state each assurance word proves (S14 of the safety rules). */
const STATES: Record<string, ReceiptStatement['state']> = {
  confirmed: 'off',
  corroborated: 'off',
  reported: 'off',
  attested: 'off',
  rebooted: 'ended-boot',
  elapsed: 'ended-boot',
  removed: 'gone',
}

const FIELDS: Record<keyof ReceiptStatement, Check> = {
  iss: isText,
  jti: isText,
  cluster: isText,
  node: isText,
  state: oneOf('off', 'ended-boot', 'gone'),
  assurance: oneOf(...Object.keys(STATES)),
  mechanism: isText,
  binding: oneOf('proven', 'declared'),
  hardware: listOf(isObject),
  job: isText,
  attempt: isAttempt,
  hold: isText,
  holders: listOf(value => isObject(value) && isText(value['holder']) && isAttempt(value['attempt'])),
  lateHand: oneOf('closed', 'bounded'),
  observations: listOf(value => isObject(value) && isTime(value['at']) && isText(value['device'])),
  commands: listOf(value => isObject(value) && isTime(value['at']) && isText(value['device'])),
  rules: value => isObject(value) && Object.values(value).every(figure => typeof figure === 'number'),
  warnings: listOf(value => typeof value === 'string'),
  storeEpoch: isText,
  storeDurable: value => typeof value === 'boolean',
  requestedAt: isTime,
  confirmedAt: isTime,
  issuedAt: isTime,
}

/** What is wrong with a receipt's payload, in words; undefined where it is whole, its times are in order and its state is one that its assurance proves. */
export function payloadFault(payload: Record<string, unknown>): string | undefined {
  for (const [field, check] of Object.entries(FIELDS)) {
    if (!Object.hasOwn(payload, field)) return `the field ${field} is missing`
    if (!check(payload[field])) return `the field ${field} is not as it must be`
  }
  const receipt = payload as unknown as ReceiptStatement
  if (STATES[receipt.assurance] !== receipt.state) return `the assurance ${receipt.assurance} does not prove the state ${receipt.state}`
  if (Date.parse(receipt.confirmedAt) < Date.parse(receipt.requestedAt)) return 'it was confirmed before it was requested'
  if (Date.parse(receipt.issuedAt) < Date.parse(receipt.confirmedAt)) return 'it was issued before it was confirmed'
  return
}
