import type { JsonObject, Personality } from '../personality.ts'
import type { Bmc, SimulatedSystem } from './bmc.ts'
import type { PowerView } from './resources.ts'
import * as resources from './resources.ts'
import * as services from './services.ts'

/** What a fixed path stands for. */
export type Route =
  | { readonly kind: 'resource'; readonly render: (bmc: Bmc) => JsonObject; readonly isPublic?: true }
  | { readonly kind: 'collection'; readonly type: string; readonly members: (bmc: Bmc) => readonly string[]; readonly creates?: true }
  | {
      readonly kind: 'power'
      readonly reads: 'system' | 'chassis' | 'power'
      readonly systemIndex: number
      readonly render: (bmc: Bmc, system: SimulatedSystem, view: PowerView) => JsonObject
    }
  | { readonly kind: 'reset'; readonly systemIndex: number }

const tables = new WeakMap<Personality, ReadonlyMap<string, Route>>()

/** The fixed paths of a BMC, without a last slash. One table serves all BMCs of a personality: thousands share it. */
export function routesOf(bmc: Bmc): ReadonlyMap<string, Route> {
  const { personality } = bmc
  let table = tables.get(personality)
  if (table === undefined) {
    table = buildRoutes(bmc)
    tables.set(personality, table)
  }
  return table
}

function buildRoutes(bmc: Bmc): ReadonlyMap<string, Route> {
  const root = '/redfish/v1'
  const accounts = `${root}/AccountService`
  const managerPath = `${root}/Managers/${bmc.personality.managerId}`
  const roles = Object.keys(services.ROLES) as (keyof typeof services.ROLES)[]
  const routes = new Map<string, Route>([
    ['/redfish', { kind: 'resource', render: () => ({ v1: '/redfish/v1/' }), isPublic: true }],
    [root, { kind: 'resource', render: resources.serviceRoot, isPublic: true }],
    [`${root}/odata`, { kind: 'resource', render: odata, isPublic: true }],
    [`${root}/Systems`, collectionOf('ComputerSystemCollection', at => at.systems.map(system => resources.systemPaths(system).system))],
    [`${root}/Chassis`, collectionOf('ChassisCollection', at => at.systems.map(system => resources.systemPaths(system).chassis))],
    [`${root}/Managers`, collectionOf('ManagerCollection', () => [managerPath])],
    [managerPath, { kind: 'resource', render: resources.manager }],
    [`${root}/SessionService`, { kind: 'resource', render: services.sessionService }],
    [
      `${root}/SessionService/Sessions`,
      {
        kind: 'collection',
        type: 'SessionCollection',
        members: at => at.sessions.list().map(({ id }) => `${root}/SessionService/Sessions/${id}`),
        creates: true,
      },
    ],
    [`${root}/TaskService`, { kind: 'resource', render: services.taskService }],
    [`${root}/TaskService/Tasks`, collectionOf('TaskCollection', at => at.tasks.list().map(({ id }) => `${root}/TaskService/Tasks/${id}`))],
    [accounts, { kind: 'resource', render: services.accountService }],
    [`${accounts}/Accounts`, collectionOf('ManagerAccountCollection', () => [`${accounts}/Accounts/1`])],
    [`${accounts}/Accounts/1`, { kind: 'resource', render: services.accountResource }],
    [`${accounts}/Roles`, collectionOf('RoleCollection', () => roles.map(id => `${accounts}/Roles/${id}`))],
    ...roles.map((id): [string, Route] => [`${accounts}/Roles/${id}`, { kind: 'resource', render: () => services.roleResource(id) }]),
  ])
  for (const [systemIndex, system] of bmc.systems.entries()) {
    const paths = resources.systemPaths(system)
    const { reset } = system.spec
    routes.set(paths.system, { kind: 'power', reads: 'system', systemIndex, render: resources.computerSystem })
    routes.set(paths.chassis, { kind: 'power', reads: 'chassis', systemIndex, render: resources.chassis })
    routes.set(paths.power, { kind: 'power', reads: 'power', systemIndex, render: (_bmc, at, view) => resources.chassisPower(at, view) })
    if (reset !== 'none') routes.set(paths.reset, { kind: 'reset', systemIndex })
    if (reset === 'actionInfo' || reset === 'both') {
      const { id } = system.spec
      routes.set(paths.actionInfo, { kind: 'resource', render: at => resources.resetActionInfo(at, at.systemOrThrow(id)) })
    }
  }
  return routes
}

function collectionOf(type: string, members: (bmc: Bmc) => readonly string[]): Route {
  return { kind: 'collection', type, members }
}

function odata(bmc: Bmc): JsonObject {
  return {
    '@odata.context': '/redfish/v1/$metadata',
    value: [
      { name: 'Service', kind: 'Singleton', url: '/redfish/v1/' },
      ...['Systems', 'Chassis', 'Managers', 'SessionService', 'AccountService'].map(name => ({
        name,
        kind: 'Singleton',
        url: `/redfish/v1/${name}`,
      })),
      { name: 'Sessions', kind: 'Singleton', url: '/redfish/v1/SessionService/Sessions' },
      ...(bmc.personality.vendor === null ? [] : [{ name: 'Tasks', kind: 'Singleton', url: '/redfish/v1/TaskService' }]),
    ],
  }
}
