import { Type } from 'typebox'
import { Attempt, HolderName, named, pageOf, Reason, Revision, ref, strict, Time, words } from './common.ts'
import { JobSchema, PowerWord } from './job.ts'

/** A node's fenced state. */
export const HoldSchema = named(
  'Hold',
  Type.Object(
    {
      id: Type.String(),
      cluster: Type.String(),
      node: Type.String(),
      state: words(['pending', 'confirmed', 'revoked', 'released']),
      holders: Type.Array(Type.Object({ holder: Type.String(), attempt: Type.Integer(), since: Time })),
      owesOn: Type.Boolean({ description: 'Whether the node is to be powered on when the last holder lets go.' }),
      jobId: Type.String(),
      receiptId: Type.Optional(Type.String()),
      power: Type.Optional(PowerWord),
      lastReadAt: Type.Optional(Time),
      revision: Revision,
      note: Type.Optional(Type.String({ description: 'Why it was revoked, or released by force.' })),
      createdAt: Time,
      confirmedAt: Type.Optional(Time),
    },
    {
      description: "A node's fenced state, kept until the last of its holders lets go.",
      examples: [
        {
          id: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c12',
          cluster: 'default',
          node: 'worker-3',
          state: 'confirmed',
          holders: [{ holder: 'token:5f1c', attempt: 1, since: '2026-11-22T13:22:07.123Z' }],
          owesOn: true,
          jobId: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c11',
          receiptId: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c13',
          power: 'off',
          lastReadAt: '2026-11-22T13:25:31.020Z',
          revision: 4,
          createdAt: '2026-11-22T13:22:07.123Z',
          confirmedAt: '2026-11-22T13:22:12.480Z',
        },
      ],
    },
  ),
)

/** A page of holds. */
export const HoldPageSchema = pageOf(HoldSchema, 'HoldPage')

/** Body of a release. */
export const ReleaseRequestSchema = named(
  'ReleaseRequest',
  strict(
    {
      holder: Type.Optional(HolderName),
      attempt: Type.Optional(Attempt),
      restore: Type.Boolean({ description: 'Power the node on when this was the last holder and the hold owes it.' }),
      force: Type.Optional(Type.Boolean({ description: 'Release it for all holders; needs the scope `holds:force`.' })),
      reason: Reason,
    },
    {
      description: "`holder` defaults to `token:<id>`, `attempt` to that holder's present one.",
      examples: [{ restore: true, reason: 'power supply replaced' }],
    },
  ),
)

/** The hold after a release, and the job that powers the node on. */
export const ReleaseResponseSchema = named('ReleaseResponse', Type.Object({ hold: ref(HoldSchema), job: Type.Optional(ref(JobSchema)) }))

/** How fresh a hold's last read has to be. */
export const HoldQuery = strict({
  maxAgeSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 86_400,
      description: 'Read the node first when its last read is older than this.',
      examples: [10],
    }),
  ),
})
