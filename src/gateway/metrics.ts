import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RunnerMetrics } from '../queue/parts.ts'
import type { Sessions } from '../queue/sessions.ts'

/** What the gateway counts of its work, beside the HTTP edge's own. No label can carry a secret or a node's name. */
export function metricsOf(registry: Registry, sessions: Sessions): RunnerMetrics {
  const registers = [registry]
  const reads = new Counter({
    name: 'safestate_reads_total',
    help: 'Power reads, by what they said.',
    labelNames: ['driver', 'power'],
    registers,
  })
  const misses = new Counter({
    name: 'safestate_failed_exchanges_total',
    help: 'Exchanges with devices that failed.',
    labelNames: ['code'],
    registers,
  })
  const commands = new Counter({
    name: 'safestate_commands_total',
    help: 'Power commands sent, by the kind of reply.',
    labelNames: ['driver', 'command', 'reply'],
    registers,
  })
  const jobs = new Counter({ name: 'safestate_jobs_ended_total', help: 'Jobs ended.', labelNames: ['action', 'state', 'code'], registers })
  const seconds = new Histogram({
    name: 'safestate_job_duration_seconds',
    help: 'From acceptance to the end of a job.',
    labelNames: ['action', 'state'],
    buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600],
    registers,
  })
  new Gauge({
    name: 'safestate_sessions',
    help: 'Sessions kept with devices.',
    registers,
    collect() {
      this.set(sessions.size)
    },
  })
  return {
    read: (driver, power) => reads.inc({ driver, power }),
    miss: code => misses.inc({ code }),
    command: (driver, command, reply) => commands.inc({ driver, command, reply }),
    ended: (action, state, code, duration) => {
      jobs.inc({ action, state, code })
      seconds.observe({ action, state }, duration)
    },
  }
}
