import type { ReceiptPayload } from '../../src/core/receipt.ts'

/** A receipt's payload as a gateway states it. */
export function statement(change: Partial<ReceiptPayload> = {}): ReceiptPayload {
  return {
    iss: 'https://safestate.example',
    jti: 'receipt-1',
    cluster: 'default',
    node: 'worker-1',
    state: 'off',
    assurance: 'confirmed',
    mechanism: 'direct',
    binding: 'proven',
    hardware: [{ device: 'bmc-1', uuid: '4c4c4544-0000-1000-8000-000000000001', system: '/redfish/v1/Systems/1' }],
    job: 'job-1',
    attempt: 1,
    hold: 'hold-1',
    holders: [{ holder: 'token:t1', attempt: 1 }],
    lateHand: 'closed',
    observations: [
      { device: 'bmc-1', at: '2026-01-01T00:00:05.000Z', source: 'redfish PowerState', raw: '"Off"', power: 'off', witnesses: [] },
    ],
    commands: [{ at: '2026-01-01T00:00:01.000Z', device: 'bmc-1', source: 'redfish ComputerSystem.Reset', raw: 'ForceOff: 204' }],
    rules: { reads: 3, dwellMs: 2000 },
    warnings: [],
    storeEpoch: 'epoch-1',
    storeDurable: true,
    requestedAt: '2026-01-01T00:00:00.000Z',
    confirmedAt: '2026-01-01T00:00:05.000Z',
    issuedAt: '2026-01-01T00:00:05.100Z',
    ...change,
  }
}
