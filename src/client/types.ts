import type { components } from './generated/schema.ts'

type Schemas = components['schemas']

/** One requested action on a node. */
export type Job = Schemas['Job']
/** Body of `POST /v1/jobs`. */
export type JobRequest = Schemas['JobRequest']
/** What a job can ask for. */
export type Action = Job['action']
/** What was read of a node's power. */
export type Power = NonNullable<Job['power']>
/** One line of a job's evidence. */
export type EvidenceItem = Schemas['Evidence']
/** Every code that a failed job or a refused request can have. */
export type FailureCode = Schemas['Problem']['code']
/** A node's fenced state. */
export type Hold = Schemas['Hold']
/** One endpoint that can isolate a node. */
export type Device = Schemas['Device']
/** Body of `POST /v1/devices`. */
export type DeviceRequest = Schemas['DeviceRequest']
/** What a device offers, as just found. */
export type Probe = Schemas['Probe']
/** How a device's certificate is checked. */
export type TlsSetting = Schemas['TlsRequest']
/** A cluster member and its ordered levels of devices. */
export type Node = Schemas['Node']
/** The signed statement that a node was off, and whether it still stands. */
export type Receipt = Schemas['Receipt']
