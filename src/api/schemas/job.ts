import { type Static, Type } from 'typebox'
import { JOB_STATES } from '../../core/job.ts'
import { ACTIONS, ASSURANCES, MECHANISMS } from '../../core/power.ts'
import {
  Attempt,
  ClusterName,
  HolderName,
  NodeName,
  named,
  PATTERNS,
  PageQuery,
  pageOf,
  Reason,
  Revision,
  ref,
  strict,
  Time,
  words,
} from './common.ts'
import { FailureCodeSchema, ProblemSchema } from './problem.ts'

/** What was read of a node's power. */
export const PowerWord = words(['on', 'off', 'transitioning', 'unknown'])
const PHASES = ['waiting-turn', 'waiting-device', 'opening', 'settling', 'reading', 'commanding', 'confirming', 'restoring'] as const
const WARNINGS = ['not_restored', 'declared_binding', 'late_hand_bounded', 'insecure_tls', 'restore_policy', 'evidence_trimmed'] as const

/** One line of a job's evidence. */
export const EvidenceSchema = named(
  'Evidence',
  Type.Object({
    at: Time,
    device: Type.String(),
    kind: words(['read', 'command']),
    source: Type.String({ examples: ['redfish /redfish/v1/Systems/1 PowerState'] }),
    raw: Type.String({ description: 'As the device sent it, shortened.', examples: ['"Off"'] }),
    power: Type.Optional(PowerWord),
    command: Type.Optional(words(['on', 'off'])),
    counted: Type.Optional(Type.Boolean({ description: 'Whether this read counted towards the verdict.' })),
  }),
)

/** Who wants a node off, and in which of its tries. */
export const HolderSchema = named('Holder', Type.Object({ holder: Type.String(), attempt: Type.Integer() }))

/** One requested action on a node. */
export const JobSchema = named(
  'Job',
  Type.Object(
    {
      id: Type.String(),
      cluster: Type.String(),
      node: Type.String(),
      action: words(ACTIONS),
      state: words(JOB_STATES),
      phase: Type.Optional(words(PHASES, { description: 'What a running job is doing, for people.' })),
      revision: Revision,
      joined: Type.Boolean({ description: 'True only in the answer to a POST that joined an earlier job.' }),
      reason: Type.String(),
      holders: Type.Array(ref(HolderSchema)),
      holdId: Type.Optional(Type.String()),
      alsoNodes: Type.Optional(Type.Array(Type.String())),
      mechanisms: Type.Optional(Type.Array(words(MECHANISMS))),
      acceptAssurance: Type.Optional(Type.Array(words(ASSURANCES))),
      createdAt: Time,
      deadlineAt: Time,
      endedAt: Type.Optional(Time),
      power: Type.Optional(PowerWord),
      assurance: Type.Optional(words(ASSURANCES)),
      receiptId: Type.Optional(Type.String()),
      failure: Type.Optional(
        Type.Object(
          { code: ref(FailureCodeSchema), message: Type.String(), device: Type.Optional(Type.String()) },
          { description: 'Why a job ended without its goal.' },
        ),
      ),
      warnings: Type.Array(Type.Object({ code: words(WARNINGS), message: Type.String(), device: Type.Optional(Type.String()) })),
      evidence: Type.Array(ref(EvidenceSchema)),
    },
    {
      description: 'One requested action on a node. `succeeded`, `failed` and `cancelled` are final.',
      examples: [
        {
          id: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c11',
          cluster: 'default',
          node: 'worker-3',
          action: 'off',
          state: 'succeeded',
          revision: 9,
          joined: false,
          reason: 'kubelet silent for 5 minutes',
          holders: [{ holder: 'token:5f1c', attempt: 1 }],
          holdId: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c12',
          createdAt: '2026-11-22T13:22:07.123Z',
          deadlineAt: '2026-11-22T13:24:07.123Z',
          endedAt: '2026-11-22T13:22:12.480Z',
          power: 'off',
          assurance: 'confirmed',
          receiptId: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c13',
          warnings: [],
          evidence: [
            {
              at: '2026-11-22T13:22:07.391Z',
              device: 'bmc-worker-3',
              kind: 'command',
              source: 'redfish ComputerSystem.Reset ForceOff',
              raw: '204',
              command: 'off',
            },
            {
              at: '2026-11-22T13:22:09.402Z',
              device: 'bmc-worker-3',
              kind: 'read',
              source: 'redfish /redfish/v1/Systems/1 PowerState',
              raw: '"Off"',
              power: 'off',
              counted: true,
            },
          ],
        },
      ],
    },
  ),
)

/** A page of jobs. */
export const JobPageSchema = pageOf(JobSchema, 'JobPage')

const jobRequest = {
  node: NodeName,
  cluster: Type.Optional(ClusterName),
  alsoNodes: Type.Optional(
    Type.Array(Type.String({ pattern: PATTERNS.nodeKey.pattern, maxLength: 317 }), {
      maxItems: 100,
      description: 'All other nodes that this action affects, as `[CLUSTER/]NAME`; without CLUSTER: of the same cluster.',
    }),
  ),
  action: words(ACTIONS),
  reason: Reason,
  deadlineSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 3600, description: 'When the job ends at the latest; default 120.' })),
  mechanisms: Type.Optional(
    Type.Array(words(MECHANISMS), { minItems: 1, maxItems: 5, description: "Only these levels of the node's topology, order kept." }),
  ),
  acceptAssurance: Type.Optional(
    Type.Array(words(ASSURANCES), {
      minItems: 1,
      maxItems: 7,
      description: 'How the result may be known; by default everything but `reported` and `attested`.',
    }),
  ),
  holder: Type.Optional(HolderName),
  attempt: Type.Optional(Attempt),
  releaseHolder: Type.Optional(
    strict(
      { holdId: Type.String({ minLength: 1, maxLength: 255 }), holder: HolderName, attempt: Attempt },
      { description: 'With `on`: the last release and the `on` in one step.' },
    ),
  ),
}

/** Body of `POST /v1/jobs`. */
export const JobRequestSchema = named(
  'JobRequest',
  strict(jobRequest, {
    description: '`holder` defaults to `token:<id>`, `attempt` to 1, `cluster` to `default`.',
    examples: [{ node: 'worker-3', action: 'off', reason: 'kubelet silent for 5 minutes', deadlineSeconds: 120 }],
  }),
)

/** The Idempotency-Key, wherever it stands. */
export const IdempotencyKey = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: PATTERNS.visible.pattern,
  description:
    'A key of your own for this wish, the same with every retry. Kept as long as the job and its hold, and at least 24 h; scoped to the token.',
  examples: ['prod/8d7c9f0e/off/1'],
})

/** The header of routes that need it. */
export const IdempotencyHeaders = Type.Object({ 'Idempotency-Key': IdempotencyKey })

/** One item of a batch. */
export const BatchItemSchema = named('BatchItem', strict({ idempotencyKey: IdempotencyKey, ...jobRequest }))

/** Body of `POST /v1/jobs/batch`, for the document. */
export const BatchRequestSchema = named(
  'BatchRequest',
  strict(
    { items: Type.Array(ref(BatchItemSchema), { minItems: 1, maxItems: 1000 }) },
    { examples: [{ items: [{ idempotencyKey: 'rack-7/worker-3/1', node: 'worker-3', action: 'off', reason: 'rack 7 lost cooling' }] }] },
  ),
)

/** What the server checks before it goes through the items one by one: one bad item must spoil none. */
export const LooseBatchSchema = strict({ items: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 1000 }) })

/** What became of one item. */
export const BatchResultSchema = named(
  'BatchResult',
  Type.Object({
    status: Type.Integer({ description: 'As the answer to `POST /v1/jobs` would have been: 202, or that of `problem`.' }),
    location: Type.Optional(Type.String({ examples: ['/v1/jobs/0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c11'] })),
    replayed: Type.Optional(Type.Boolean()),
    job: Type.Optional(ref(JobSchema)),
    problem: Type.Optional(ref(ProblemSchema)),
  }),
)

/** The answer to a batch: one result an item, in the same order. */
export const BatchResponseSchema = named('BatchResponse', Type.Object({ items: Type.Array(ref(BatchResultSchema)) }))

/** Filters of the job list. */
export const JobQuery = strict({
  node: Type.Optional(Type.String({ maxLength: 253 })),
  cluster: Type.Optional(Type.String({ maxLength: 63 })),
  state: Type.Optional(words(JOB_STATES)),
  action: Type.Optional(words(ACTIONS)),
  ...PageQuery,
})

const cancel = strict({ holder: Type.Optional(HolderName) }, { examples: [{ holder: 'cr:prod/8d7c9f0e' }] })
/** Body of a cancel: none, or whose wish is taken back. */
export const CancelRequestSchema = Type.Unsafe<Static<typeof cancel> | null>({ ...cancel, type: ['object', 'null'] })
