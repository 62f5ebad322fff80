import {
  AliveSchema,
  NotReadySchema,
  ReadySchema,
  RotationSchema,
  TokenCreatedSchema,
  TokenListSchema,
  TokenRequestSchema,
  TokenSchema,
} from './admin.ts'
import type { Named } from './common.ts'
import {
  CredentialSchema,
  DeviceChangeSchema,
  DevicePageSchema,
  DeviceRequestSchema,
  DeviceSchema,
  DriverListSchema,
  ProbeSchema,
  TlsRequestSchema,
  TlsSchema,
} from './device.ts'
import { HoldPageSchema, HoldSchema, ReleaseRequestSchema, ReleaseResponseSchema } from './hold.ts'
import {
  BatchItemSchema,
  BatchRequestSchema,
  BatchResponseSchema,
  BatchResultSchema,
  EvidenceSchema,
  HolderSchema,
  JobPageSchema,
  JobRequestSchema,
  JobSchema,
} from './job.ts'
import { NodePageSchema, NodeRequestSchema, NodeSchema, ReadinessSchema } from './node.ts'
import { FailureCodeSchema, ProblemSchema } from './problem.ts'
import { JwksSchema, ReceiptSchema } from './receipt.ts'

/** Every schema with a name of its own: the components of the OpenAPI document, in this order. */
export const NAMED_SCHEMAS: readonly Named[] = [
  FailureCodeSchema,
  ProblemSchema,
  EvidenceSchema,
  HolderSchema,
  JobSchema,
  JobPageSchema,
  JobRequestSchema,
  BatchItemSchema,
  BatchRequestSchema,
  BatchResultSchema,
  BatchResponseSchema,
  HoldSchema,
  HoldPageSchema,
  ReleaseRequestSchema,
  ReleaseResponseSchema,
  ReceiptSchema,
  JwksSchema,
  TlsRequestSchema,
  TlsSchema,
  DeviceSchema,
  DevicePageSchema,
  DeviceRequestSchema,
  DeviceChangeSchema,
  CredentialSchema,
  ProbeSchema,
  DriverListSchema,
  NodeSchema,
  NodePageSchema,
  NodeRequestSchema,
  ReadinessSchema,
  TokenSchema,
  TokenListSchema,
  TokenRequestSchema,
  TokenCreatedSchema,
  RotationSchema,
  AliveSchema,
  ReadySchema,
  NotReadySchema,
]
