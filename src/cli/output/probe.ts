import type { Probe } from '../../client/types.ts'

/** What a probe found, as rows of label and value for a person; rows without a value are left out. Values are as the device sent them: clean them. */
export function probeRows(found: Probe): [string, string][] {
  const rows: [string, string | undefined][] = [
    ['product', found.product],
    ['identity', identityOf(found.hardware)],
    ['power', found.power],
    ['system', found.systemId],
    ['off', found.commands.off ?? 'not offered'],
    ['on', found.commands.on ?? 'not offered'],
    ['witnesses', found.witnesses.join(', ') || 'none'],
    ['mains power', policyOf(found.restorePolicy)],
    ['log-in', found.cipherSuite === undefined ? found.session : `${found.session}, cipher suite ${found.cipherSuite}`],
    ['certificate', found.fingerprint],
    ...found.others.map((other): [string, string] => ['not chosen', `${other.id}: ${other.reason}`]),
    ...found.refusals.map((refusal): [string, string] => ['refused', `${refusal.command}: ${refusal.reason}`]),
    ...offers(found, 'used', 'used'),
    ...offers(found, 'unused', 'not used'),
    ...offers(found, 'refused', 'refused'),
  ]
  return rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '')
}

function offers({ offers: all }: Probe, use: Probe['offers'][number]['use'], label: string): [string, string][] {
  return all.filter(offer => offer.use === use).map(({ name, reason }) => [label, `${name}: ${reason}`])
}

function identityOf({ manufacturer, model, serial, uuid, guid }: Probe['hardware']): string {
  const parts = [manufacturer, model, serial && `serial ${serial}`, uuid && `UUID ${uuid}`, guid && `read from the GUID ${guid}`]
  return parts.filter(Boolean).join(', ') || 'it tells none'
}

function policyOf(policy: Probe['restorePolicy']): string {
  switch (policy) {
    case 'off':
      return 'stays off when it returns'
    case 'on':
      return 'comes on when it returns; set to stay off for a hold'
    case 'previous':
      return 'is as before when it returns; set to stay off for a hold'
    default:
      return 'what happens when it returns can not be set'
  }
}
