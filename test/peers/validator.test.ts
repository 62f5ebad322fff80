import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { folder, programsOf, runProgram } from './processes.ts'
import { rack } from './rack.ts'

t.test('redfish-protocol-validator 1.3.2 of the DMTF', { timeout: 170_000 }, async t => {
  const found = programsOf(t, 'redfish-protocol-validator')
  if (!found) return
  const simulator = await rack(t, true)
  // It waits most of its time (for events that do not come): all at once.
  t.jobs = simulator.bmcs.length
  for (const bmc of simulator.bmcs) {
    void t.test(bmc.personality.name, { timeout: 160_000 }, async t => {
      const report = folder(t)
      const program = found['rf_protocol_validator'] ?? ''
      // The password of a simulated BMC is no secret: the program takes it on its command line only.
      const log = [
        '-r',
        bmc.url,
        '-u',
        bmc.username,
        '-p',
        bmc.password,
        '--no-cert-check',
        '--avoid-http-redirect',
        '--report-dir',
        report,
      ]
      const { out, err } = await runProgram(program, log, { timeoutMs: 150_000 })
      const summary = /PASS: (\d+), WARN: (\d+), FAIL: (\d+)/.exec(out + err)
      t.ok(Number(summary?.[1]) > 200, `it tested: ${summary?.[0] ?? (out + err).slice(-500)}`)
      const table = readdirSync(report).find(file => file.endsWith('.tsv'))
      const rows = table === undefined ? [] : readFileSync(join(report, table), 'utf8').split('\n')
      const bad = rows.filter(row => /(^|\t)"?(FAIL|WARN)"?(\t|$)/.test(row))
      // Two tests of randomness at the level of 1 %: they warn of one true random token in fifty (ours are 16 bytes of node:crypto's).
      const unlucky = /^RESP_HEADERS_X_AUTH_TOKEN\t.*\tWARN\t.*sufficiently random/
      t.same(
        bad.filter(row => !unlucky.test(row)),
        [],
        'nothing failed and nothing was warned of',
      )
      t.equal(summary?.[3], '0')
    })
  }
})
